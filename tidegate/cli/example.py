"""The files to begin with."""

SERVICE = """\
# A service file. Editors check it by the schema that `tidegate schema` prints.
service: web

# Where users reach it. Services on one port share it by host and path.
listener: {port: 8080, host: "*", path: /}

# By what a user is known, so that he stays where he is: this header, else this cookie.
stickiness: {header: x-user-id, cookie: tidegate}

tasks:
  # No shell. {port}, {version}, {service} and {task} are filled in; the task listens on 127.0.0.1:{port}.
  command: [python3, -m, http.server, "{port}", --bind, 127.0.0.1]
  env: {RELEASE: "{version}"}
  count: 2
  health: {path: /, interval: 1s, healthy_after: 2, unhealthy_after: 3, start_within: 30s}
  drain: 10s

# How a new version replaces the one that runs.
plan: {linear: {step: 10%, every: 1m}, bake: 5m}

# What takes it back by itself.
alarms:
  - {name: errors, metric: error_rate, above: 1%, period: 10s, datapoints: 2 of 3, missing: not_breaching}
  - {name: slow, metric: p99, above: 800ms, period: 10s, datapoints: 3 of 3, missing: not_breaching}

# Who is told. Remove the # to use it.
# on: {webhook: "https://chat.example.org/hook", events: [rolled_back, waiting]}
"""

FLAGS = """\
# The flags of one application. Editors check it by the schema that `tidegate schema flags` prints.
application: shop

# FlagGroups: who belongs together. Compared with the targeting key, or with another attribute.
segments:
  staff: [anna, bert]
  berlin: {by: companyId, members: [c-17, c-99]}

flags:
  # The same for everybody: one line.
  new-search: off
  page-size: 20

  # On for some, off for all others. Turn it on for everybody with: tidegate flags set new-checkout on
  new-checkout:
    owner: payments
    expires: 2027-03-01
    when: in segment staff or 10% by targetingKey

  # The first variant whose rule holds; the last one has none and is the default.
  theme:
    variants:
      dark: {value: "#000", when: plan == "pro" and version(app) >= "2.1"}
      blue: {value: "#00f", share: 30%}
      light: "#fff"
"""

ENVIRONMENT = """\
# How changes of flags are released in one environment. Take it over with: tidegate flags configure -f prod.yaml
application: shop
environment: prod

# A change goes to a growing share of the users. It is compared with what was there before, and goes back when it is worse.
plan: {linear: {step: 10%, every: 1m}, bake: 5m}

# Besides, on what the middleware in the application reports, and on what is pushed (tidegate push sales 3 -e shop/prod).
alarms:
  - {name: errors, metric: error_rate, above: 5%, period: 10s, datapoints: 2 of 3, missing: not_breaching}
  # - {name: sales, metric: "pushed:sales", statistic: sum, below: 100, period: 1m}

# Who is told. Remove the # to use it.
# on: {webhook: "https://chat.example.org/hook", events: [rolled_back, waiting]}
"""

RELEASE = """\
# Versions and flags that go together: the same users get all of it or nothing of it.
# Begin it with: tidegate release -f release.yaml
release: checkout

# One plan for all parts.
plan: linear 10% every 1m

# Service files beside this one. Without a version it gets one made of the file's content.
services:
  - {file: service.yaml, version: v2}

# Flag documents beside this one. They follow the versions.
flags:
  - {file: flags.yaml, environment: prod}
"""
