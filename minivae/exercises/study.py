"""Questions and progress: predict and reveal, recall, progress, and starting again."""

from collections.abc import Iterable
from typing import Any

from minivae.errors import MinivaeError
from minivae.exercises import checker, reviews, store
from minivae.exercises.cards import CORRECT, MARKS, NOT_ATTEMPTED, NOT_YET, Card, display, fill
from minivae.exercises.catalogue import CHAPTERS, closest, exercises
from minivae.exercises.compare import format_value
from minivae.exercises.questions import LETTERS, predictions, recall_of

# ---- predictions: asked before the cell that shows the answer ----------------------------------


def predict(id: str, answer: Any = ...) -> Card:
    """Commit to an answer before seeing it; `reveal(id)` shows it beside the truth."""
    asked = _prediction(id)
    if asked is None:
        return _unknown(id)
    options = " or ".join(f'"{option}"' for option in asked.options)
    body = f"{fill(asked.question)}\n{options}"
    if answer is ...:
        return display(Card(f"{id}: your prediction?", body))
    if answer not in asked.options:
        return display(Card(f"{id}: {format_value(answer)} is not one of the answers", body))
    note = store.update(lambda state: state["answers"].update({id: answer}))
    return display(Card(f"{id}: you predict {answer}"), note)


def reveal(id: str, truth: str | None = None) -> Card:
    """What was predicted, what is true, and why. `truth`: for questions whose answer only the
    notebook computes."""
    asked = _prediction(id)
    if asked is None:
        return _unknown(id)
    truth = asked.truth or truth
    if truth not in asked.options:
        return display(
            Card(f"{id}: the right answer is missing", f"one of {', '.join(asked.options)}")
        )
    state, note = store.load()
    predicted = state["answers"].get(id)
    if predicted not in asked.options:
        return display(Card(f"{id}: {truth}", fill(asked.why)), note)
    right = predicted == truth
    if asked.truth:  # without a stored truth, a review could not mark the answer
        note = store.update(lambda state: _mark_once(state, id, predicted, right))
    result = "and that is right" if right else f"but it is {truth}"
    title = f"{id}: you predicted {predicted}, {result}"
    return display(Card(title, fill(asked.why), status=CORRECT if right else NOT_YET), note)


def _prediction(id):
    return predictions().get(id) if isinstance(id, str) else None


def _unknown(id):
    near = closest(id, predictions())
    return display(Card(f"{format_value(id)}: no such prediction", f'did you mean "{near}"?'))


# ---- recall: three questions about earlier notebooks -------------------------------------------


def recall(notebook: str, *answers: Any) -> Card:
    """Ask the three questions that open a notebook, and mark the answers "a", "b" or "c"."""
    asked = recall_of(notebook) if isinstance(notebook, str) else []
    if not asked:
        return display(
            Card(f"{format_value(notebook)}: no questions", f'choose "02" to "{CHAPTERS[-1]}"')
        )
    answers = (*answers, *[...] * len(asked))[: len(asked)]
    marked = [_marked(q, answer) for q, answer in zip(asked, answers, strict=True)]
    note = None
    if any(right is not None for _, right in marked):
        note = store.update(lambda state: _keep(state, asked, answers, marked))
    title = f"{notebook}: three questions about earlier notebooks"
    return display(Card(title, "\n\n".join(text for text, _ in marked)), note)


def _marked(asked, answer):
    """(text, whether the answer is right, or None where there is no answer)."""
    number = asked.id[-1]
    if answer is ...:
        return f"{number}. {_with_options(asked)}", None
    if not isinstance(answer, str) or answer not in LETTERS:
        text = f"{number}. {format_value(answer)} is not one of a, b, c\n{_with_options(asked)}"
        return text, None
    right = answer == asked.right
    mark = MARKS[CORRECT if right else NOT_YET]
    text = f"{mark} {number}. {asked.question}\n   {_option(asked, answer)}"
    if not right:
        text += f"\n   the right answer: {_option(asked, asked.right)}"
    return f"{text}\n   {fill(asked.why, 3)} (notebook {asked.source})", right


def _with_options(asked):
    options = "\n".join(f"   {_option(asked, letter)}" for letter in LETTERS)
    return f"{fill(asked.question, 3)}\n{options}"


def _option(asked, letter):
    return f"{letter}  {asked.options[LETTERS.index(letter)]}"


def _keep(state, asked, answers, marked):
    for q, answer, (_, right) in zip(asked, answers, marked, strict=True):
        if right is not None:
            state["answers"][q.id] = answer
            _mark_once(state, q.id, answer, right)


def _mark_once(state, id, answer, right):
    """Schedule the review after an answer; not again when a notebook that is rerun repeats it."""
    key = f"judged {id}"
    if state["answers"].get(key) != answer:
        state["answers"][key] = answer
        (reviews.remembered if right else reviews.missed)(state, id)


# ---- starting again -----------------------------------------------------------------------------


def forget(names: Iterable[str]) -> list[str]:
    """Remove from the progress file what the reader did in these exercises and questions.

    names: ids, as "03.kl", or numbers of notebooks, as "03", which mean all that is asked there.
    Returns the ids of which something was removed. Raises MinivaeError for an unknown name, and
    then nothing is removed.
    """
    known = [*exercises(), *predictions(), *(q.id for c in CHAPTERS for q in recall_of(c))]
    chosen: set[str] = set()
    for name in names:
        ids = [id for id in known if name in (id, id[:2])]
        if not ids:
            raise MinivaeError(
                f"there is no exercise {format_value(name)}; did you mean {closest(name, known)!r}?"
            )
        chosen.update(ids)
    removed: set[str] = set()

    def change(state: store.State) -> None:
        for section in store.SECTIONS:
            for key in [key for key in state[section] if key.removeprefix("judged ") in chosen]:
                del state[section][key]
                removed.add(key.removeprefix("judged "))

    note = store.update(change)
    if note:
        raise MinivaeError(note)
    for id in removed:
        checker.passed.pop(id, None)
    return sorted(removed)


# ---- progress ----------------------------------------------------------------------------------


def summary() -> dict[str, Any]:
    """Progress as plain data, for `exercises --json`. "note": what is wrong with the file, or
    None."""
    state, note = store.load()
    rows = []
    for exercise in exercises().values():
        entry = state["exercises"].get(exercise.id, {})
        rows.append(
            {
                "id": exercise.id,
                "title": exercise.title,
                "status": status(entry),
                "fails": entry.get("fails", 0),
                "hints": entry.get("hints", 0),
            }
        )
    done = sum(row["status"] == CORRECT for row in rows)
    to_do = next((row["id"] for row in rows if row["status"] != CORRECT), None)
    return {
        "done": done,
        "total": len(rows),
        "next": to_do,
        "due": reviews.due(state),
        "note": note,
        "exercises": rows,
    }


def status(entry: dict[str, Any]) -> str:
    """Correct once it has passed, else not yet, or not attempted: for an entry of the progress
    file."""
    if "passed" in entry:
        return CORRECT
    return NOT_YET if entry.get("fails") else NOT_ATTEMPTED


def report() -> str:
    """Progress as text: each exercise by notebook, what comes next, what is due for review."""
    data = summary()
    lines = [f"{data['done']} of {data['total']} exercises done"]
    for chapter in CHAPTERS:
        rows = [row for row in data["exercises"] if row["id"].startswith(f"{chapter}.")]
        done = sum(row["status"] == CORRECT for row in rows)
        marks = " ".join(f"{MARKS[row['status']]} {row['id'][3:]}" for row in rows)
        lines.append(f"{chapter}  {done}/{len(rows)}  " + fill(marks, 9))
    if data["next"]:
        lines.append(f"next: {data['next']}, {exercises()[data['next']].title}")
    if data["due"]:
        lines.append(f"due for review: {', '.join(data['due'])}")
    if data["note"]:
        lines.append(fill(data["note"]))
    return "\n".join(lines)


def progress() -> Card:
    """Show what is done, what comes next and what is due for review."""
    return display(Card("progress", report()))
