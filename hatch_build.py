"""Build hook: compiles the C of glic_pyg when the package is built or installed, if there is a compiler."""

import runpy
import sysconfig
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CompileHook(BuildHookInterface):
    """Puts the libraries beside their source; a wheel that holds them is bound to this platform."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel":
            return
        compile_all = runpy.run_path("glic_pyg/kernels/compile.py")["compile_all"]
        try:
            libraries = compile_all()
        except OSError as error:
            self.app.display_warning(f"{error}; graphs and layers go the slower way without it")
            return
        build_data["artifacts"] += [f"glic_pyg/kernels/{library.name}" for library in libraries]
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"
