import time

from kedro.io import DatasetError


def make(letters):
    return "x" * letters


def work(text, seconds, ending, work_folder):
    (work_folder / "working").touch()
    try:
        time.sleep(seconds)
    except KeyboardInterrupt:
        if ending == "never":
            time.sleep(60)
        raise
    finally:
        (work_folder / "working").unlink(missing_ok=True)
    if ending == "interrupt":
        raise KeyboardInterrupt
    if ending == "refusal":
        raise DatasetError("so it cannot be")
    if ending == "fault":
        raise ValueError("a fault")
    return text


def report(text):
    return {"letters": len(text)}
