"""Feature flags: documents, rules and their evaluation. Pure: no clock, no chance, no file, no network.

Others build on the names of this page. Every refusal is `Invalid(what, mend, where)`, with the exact place.

    application: shop

    segments:                                    # FlagGroups
      staff: [anna, bert]                        # ids, compared with the targeting key
      berlin: {by: companyId, members: [c-17, c-99]}
      dach: {when: 'country in ["DE", "AT", "CH"]'}
      many: |                                    # a long list: an id on each line
        c-1
        c-2

    flags:
      new-search: on                             # the same for everybody: one line
      banner: Summer sale
      page-size: 20

      new-checkout:                              # on for some, off for all others
        owner: payments
        expires: 2027-03-01
        needs: new-search                        # or {flag: theme, variants: [dark, blue]}, or a list of them
        when: in segment staff or 25% by userId

      theme:                                     # shares are disjoint; the last variant, without a rule, is the default
        variants:
          dark: {value: "#000", share: 30%}
          blue: {value: "#00f", when: plan == "pro" and version(app) >= "2.1"}
          light: "#fff"

      search:                                    # typed attributes, checked in every variant
        attributes:
          engine: {type: string, enum: [classic, vector], required: true}
          limit: {type: number, minimum: 1, maximum: 100}
        variants:
          vector: {when: in segment dach and not age < 18, attributes: {engine: vector, limit: 20}}
          classic: {attributes: {engine: classic, limit: 10}}

Rules (rule_text.py): `and or not ( )`, `== != < <= > >=`, `in [..]`, `not in [..]`, `begins with`, `ends with`, `contains`,
`matches`, `exists`, `25% by userId seed "abc"`, `25% to 50% by userId`, `in segment staff`, `version(app) >= "2.1"`,
`true`, `false`; texts in double quotes, timestamps bare (`signedUp < 2026-01-01`). `by` is the targeting key when left out.

Documents
    read_flags(content, what) -> FlagDocument             flags_file: Tidegate's own spelling, as the plain content of YAML or
                                                          JSON (text.read_yaml(text, what, MOST_BYTES)); read_flag for one flag
    write_flags(document) -> dict                         flags_writer: the same, as short as a person would write it
    read_appconfig(content, application, what)            appconfig: AWS.AppConfig.FeatureFlags, version 1
    write_appconfig(document) -> dict                     appconfig_export: Invalid with the reason where meaning is lost
    read_flagd(content, application, what, *, strict=True)                      flagd: flags, $evaluators, JsonLogic.
                                                          With strict=False a flag whose targeting is wrong answers PARSE_ERROR
    FlagDocument(application, number, flags, segments)    document: frozen; numbered(n) -> FlagDocument
    encode(document) -> str                               codec: canonical JSON; one document, one text, one digest(document)
    decode(text, digest=None) -> FlagDocument             Invalid when the digest is another. Flags are decoded when first asked
    same_content(one, other), changed_flags(old, new)     codec: whether and where they differ, their numbers apart
    check(document)                                       check: segments, prerequisites, cycles, types. The readers did it
    compare(old, new) -> tuple[Change, ...]               difference: Change(kind, thing, name, sentences): what for whom
    stale(document, today) -> tuple[Stale, ...]           stale: Stale(flag, owner, since, why)

Evaluation
    Evaluator(document, *, side=Side.BASELINE, clock=None)                evaluate
        .evaluate(flag, context) -> Result                never raises. context is a mapping; the targeting key is its
                                                          "targetingKey". Results are shared: about 0.1 to 1 us each
        .evaluate_all(context) -> dict[str, Result]       the first time it compiles every flag: about 0.1 ms each
        .explain(flag, context) -> Explanation            explain: why each rule did or did not hold; slow
    Staged(baseline, candidate, salt, exposure, *, clock=None)            staged; takes documents or Evaluators
        the same three methods, by side: an entity with bucket(targeting key, salt) < exposure is evaluated against the
        candidate. No candidate, or no targeting key (missing, empty, neither text nor whole number): the baseline.
        .side(context) -> Side      .at(exposure) -> Staged, sharing what is compiled      .changed: names that differ
    Result: flag, value, variant, enabled, reason, number, side, rule, rule_text, error, message
        value     true or false; a simple value; or the attributes as a fresh mapping. None means: the caller's default
        enabled   what AppConfig calls so
        reason    Reason.STATIC, TARGETING_MATCH, SPLIT (the rule cannot hold without a split), DEFAULT, DISABLED, ERROR
        rule      index of the variant whose rule held, None for the default; rule_text is it in words
        error     "" or FLAG_NOT_FOUND, PARSE_ERROR, GENERAL; then value is None; message says more
    answer(result) -> dict          appconfig: {"enabled": true, "limit": 20, "_variant": "vector"}, as AppConfig's agent
    clock() -> int                  seconds since 1970; asked only by rules that mention `$flagd.timestamp`
    json_logic(rule, data) -> Json  logic: JsonLogic alone, any rule on any data; raises LogicError

A flag that is not enabled, or whose prerequisite does not hold, answers DISABLED: false if it is on or off, else None.
"""
