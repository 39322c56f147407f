"""The calling conventions: ctypes and the header mean the same structures."""

from __future__ import annotations

import ctypes
import re
import subprocess
from pathlib import Path

import pytest

from kdq_ref.errors import InvalidArgumentError
from kdq_ref.verify.kernel.abi import (
    ABIS,
    CONV2D,
    GEMM,
    REQUANTIZE,
    UNSUPPORTED,
    RequantStruct,
    asset,
    get_abi,
)

STRUCTS = {family.c_type: family.struct for family in (GEMM, REQUANTIZE, CONV2D)}
STRUCTS["kdq_abi_requant"] = RequantStruct


def test_structures_lie_in_memory_as_in_c(build, tmp_path: Path) -> None:
    """Every member has the offset, and every structure the size, that the compiler gives it."""
    expected, lines = [], []
    for name, struct in STRUCTS.items():
        lines.append(f'printf("%zu\\n", sizeof({name}));')
        expected.append(str(ctypes.sizeof(struct)))
        for member, _ in struct._fields_:
            lines.append(f'printf("%zu\\n", offsetof({name}, {member}));')
            expected.append(str(getattr(struct, member).offset))
    source = tmp_path / "offsets.c"
    head = "#include <stddef.h>\n#include <stdio.h>\n#include <kdq_kernel_abi.h>\n"
    source.write_text(f"{head}int main(void) {{ {' '.join(lines)} return 0; }}\n")
    printed = subprocess.check_output([build(source, program=True)], text=True)
    assert printed.split() == expected


def test_the_header_names_every_member_and_abi() -> None:
    """No member is missing from the header, and its table lists every abi."""
    header = asset("kdq_kernel_abi.h")
    for name, struct in STRUCTS.items():
        body = re.search(rf"typedef struct {name} \{{(.*?)\}} {name};", header, re.DOTALL)
        assert body is not None
        text = re.sub(r"/\*.*?\*/", "", body[1], flags=re.DOTALL)
        names = re.findall(r"(\w+)\s*[,;]", text)
        assert names == [member for member, _ in struct._fields_]
    for name, abi in ABIS.items():
        assert re.search(rf"^ \*  {name}\s+{abi.family.c_type}\b", header, re.MULTILINE)
    assert f"#define KDQ_ABI_UNSUPPORTED {UNSUPPORTED}\n" in header


@pytest.mark.parametrize("language", ["c", "c++"])
def test_the_header_compiles_without_a_warning(compiler, language: str, tmp_path: Path) -> None:
    """Also for C++ kernels."""
    (tmp_path / "kdq_kernel_abi.h").write_text(asset("kdq_kernel_abi.h"))
    source = "#include <kdq_kernel_abi.h>\nint x;\n"
    command = [*compiler, "-x", language, "-Wall", "-Wextra", "-Wpedantic", "-Werror"]
    command += ["-I", str(tmp_path), "-fsyntax-only", "-"]
    tried = subprocess.run(command, input=source, text=True, capture_output=True, check=False)
    if language == "c++" and "cc1plus" in tried.stderr:
        pytest.skip("the C compiler here compiles no C++")
    assert tried.returncode == 0, tried.stderr


def test_an_unknown_abi_is_told_the_known_ones() -> None:
    """The message lists them."""
    with pytest.raises(InvalidArgumentError, match=r"gemm_s8s8s32, .*depthwise_s8"):
        get_abi("gemm")


def test_what_an_abi_says_about_itself() -> None:
    """Products have no rule; codes are those of the output's type."""
    assert not get_abi("gemm_u8s8s32").requantizes
    assert get_abi("gemm_u8s8u8").codes == (0, 255)
    assert get_abi("conv2d_s8").codes == (-128, 127)
    assert [name for name, abi in ABIS.items() if abi.depthwise] == ["depthwise_s8"]
