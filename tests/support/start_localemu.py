"""Starts localemu, by the Python of `.venv-localemu`.

It says that it wants Python 3.10, and takes from `warnings` what is there from 3.13 on only: so that of 3.12 is given it.
"""

import runpy
import warnings

from typing_extensions import deprecated

if not hasattr(warnings, "deprecated"):
    warnings.deprecated = deprecated  # type: ignore[attr-defined]  # that is why

runpy.run_module("localemu.runtime.main", run_name="__main__")
