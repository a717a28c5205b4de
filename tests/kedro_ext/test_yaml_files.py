"""What a user can write wrong in a YAML file."""

from __future__ import annotations

import pytest

from archatlas.kedro_ext.yaml_files import YamlFault, check_entries, lines_of, mapping_in, written_twice

BOMB = b"a: [&a0 [x, x], " + b", ".join(b"&a%d [*a%d, *a%d]" % (n, n - 1, n - 1) for n in range(1, 30)) + b"]"

FAULTS: dict[str, tuple[bytes, int, str]] = {
    "a name twice": (b"a: 1\nb: 2\na: 3\n", 3, "`a` stands in line 1 already"),
    "a section twice": (b"s:\n  t: {a: 1}\n  t: {b: 1}\n", 3, "`s.t` stands in line 2 already"),
    "twice in a list": (b"s:\n  - {a: 1, a: 2}\n", 2, "`s.a` stands in line 2 already"),
    "a tab": (b"s:\n\ta: 1\n", 2, "indent with spaces alone"),
    "a tab behind spaces": (b"s:\n  t:\n  \ta: 1\n", 3, "indent with spaces alone"),
    "less indented than its section": (b"s:\n  a: 1\n b: 1\n", 3, "not indented as its section is"),
    "more indented than its section": (b"s:\n  a: b\n    c: 1\n", 3, "indented more than the one before"),
    "no colon": (b"s:\n  a b\n  c: 1\n", 3, "lacks its colon"),
    "an open quote": (b'a: 1\nb: "x\nc: 1\n', 2, "the quotation mark that opens here is not closed"),
    "an open single quote": (b"a: 1\nb: 'x\n", 2, "the quotation mark that opens here is not closed"),
    "an open bracket": (b"a: 1\nb: {c: [1, 2}\n", 2, "the bracket that opens here"),
    "an open brace": (b"a: 1\nb: {c: 1\nd: 1\n", 2, "the bracket that opens here"),
    "Latin 1": ("a: 1\nb: \u00e4\n".encode("latin-1"), 2, "byte 0xe4 is not UTF-8: save the file in UTF-8"),
    "UTF-16": ("a: 1\n".encode("utf-16"), 1, "is not UTF-8"),
    "a control character": (b"a: 1\nb: \x00\n", 2, "a character stands here"),
    "a list": (b"# first\n- a\n- b\n", 2, "the file holds a list where lines of `name: value` must stand"),
    "a word": (b"hello\n", 1, "the file holds a single value"),
    "two documents": (b"a: 1\n---\nb: 1\n", 2, "a second document"),
    "no as a name": (b"budgets:\n  no: {a: 1}\n", 2, 'YAML reads the name `no` as true or false: write "no"'),
    "null as a name": (b"null: 1\n", 1, 'YAML reads the name `null` as nothing: write "null"'),
    "a number as a name": (b"2024: 1\n", 1, 'YAML reads the name `2024` as a number: write "2024"'),
    "a list as a name": (b"[a, b]: 1\n", 1, "a list or a section stands where a name must"),
    "what YAML keeps for itself": (b"a: 1\nb: @x\n", 2, "text that begins with `@` must stand in quotes"),
    "a star": (b"a: *x\n", 1, "text that begins with `*` must stand in quotes"),
    "a section that holds itself": (b"a: &a {b: *a}\n", 1, "a section holds itself"),
    "deeper than the parser can": (b"a: " + b"[" * 100_000 + b"]" * 100_000, 1, "too many lie in each other"),
    "aliases that repeat each other": (BOMB, 1, "aliases (`*`) make more than 100,000 values of this file"),
    "a file of some other kind": (b"a: 1\n" * 300_000, 1, "the file has more than 1,000,000 bytes"),
    "too deep": (b"a: " + b"[" * 5000 + b"]" * 5000, 1, "too many lie in each other"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_mistake_is_told_by_line_and_cure(fault: str) -> None:
    content, line, told = FAULTS[fault]
    with pytest.raises(YamlFault) as caught:
        mapping_in(content)
    assert told in str(caught.value)
    assert caught.value.line == line
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"# nothing\n", b"---\n", b"\xef\xbb\xbf"])
def test_a_file_may_hold_nothing(content: bytes) -> None:
    assert mapping_in(content) is None


def test_what_is_right_passes() -> None:
    content = b"\xef\xbb\xbfa: 1\r\nb: {c: [1, {d: 2}], 'no': 3}\r\ne: &e {f: 1}\r\ng: {<<: *e, f: 2}\r\n"
    assert lines_of(mapping_in(content)) == {
        ("a",): (1, False),
        ("b",): (2, True),
        ("b", "c"): (2, False),
        ("b", "no"): (2, False),
        ("e",): (3, True),
        ("e", "f"): (3, False),
        ("g",): (4, True),
        ("g", "<<"): (4, True),
        ("g", "<<", "f"): (3, False),
        ("g", "f"): (4, False),
    }


def test_an_entry_of_a_catalog_is_a_section() -> None:
    check_entries(mapping_in(b"_name: x\na: {type: b}\nc: ${_name}\n"))
    check_entries(None)
    with pytest.raises(YamlFault, match="`b` must be a section"):
        check_entries(mapping_in(b"a: {type: b}\nb: [1]\n"))


def test_keys_that_two_files_set_are_found() -> None:
    def twice(*files: bytes) -> list[str]:
        keys = {f"{number}.yml": lines_of(mapping_in(file)) for number, file in enumerate(files)}
        return [f"{'.'.join(key)}: {one}; {other}" for key, one, other in written_twice(keys)]

    assert twice(b"a: {b: 1}\n", b"a: {c: 1}\nd: 1\n") == []
    assert twice(b"a: {b: 1}\n", b"d: 1\n\na: {b: 1}\n") == ["a.b: 0.yml, line 1; 1.yml, line 3"]
    assert twice(b"a: 1\n", b"a: {b: 1}\n") == ["a: 0.yml, line 1; 1.yml, line 1"]
    assert len(twice(b"a: 1\n", b"b: 1\n", b"a: 1\nb: 1\n")) == 2
