"""The wheel holds the licences of the crates that are compiled into it."""

from importlib.metadata import distribution


def test_notices():
    files = {path.name: path for path in distribution("gradus-nn").files}
    text = files["NOTICES.txt"].locate().read_text(encoding="utf-8")
    assert "\npyo3 " in text and "\nsafetensors " in text
