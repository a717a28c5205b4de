"""What the page says otherwise where networks were looked up in a public table, and not trained."""

from __future__ import annotations

from dataclasses import dataclass, replace

from archatlas.reporting import numbers, sentences
from archatlas.reporting.figures.ranking import ALONE
from archatlas.reporting.run import Run
from archatlas.signals.audit import reference
from archatlas.systems.at_initialisation import WITHOUT_TRAINING
from archatlas.verification.united import methods_of


@dataclass(frozen=True)
class Words:
    """Sentences and titles by where they stand on the page."""

    summary: str
    networks: str
    found: str
    comparison: str
    images: str
    trust: str
    audit: str
    measured: str
    truth_title: str
    choice_title: str
    predictor: str


def words_of(run: Run) -> Words:
    """The words that are true of a run."""
    words = _words_of(run)
    return words if run.has_atlas else replace(words, summary=_without_atlas(run))


def _words_of(run: Run) -> Words:
    if run.true_table is not None:
        return _compared(run, run.true_table)
    return _trained(run) if run.table is None else _looked_up(run, run.table)


def _trained(run: Run) -> Words:
    return Words(
        summary=f"{_supernets(run)} trained on {run.image_description.get('source', 'the images')}, {_sampled(run)} of "
        f"the networks inside were scored, {_fitted_and_mapped(run)} were trained alone.",
        networks="distinct networks in the space",
        found="One card per budget: of the networks that keep it, the one that was chosen, on validation images. The "
        "test accuracy is that of the exported file, read once, afterwards; its interval is what the number of test "
        "images leaves open (Wilson, 95%). What stands beside it on the scale was trained alike, and so was the "
        f"network itself there{_beside_exported(run)}.",
        comparison="Each mark above is one training and a short line is a mean. All were trained alike from scratch"
        f"{', before winners were trained on' if _trained_on(run) else ''}; the random networks keep the same budget.",
        images=str(run.image_description.get("source", numbers.DASH)),
        trust=_trust(
            run,
            "For the audit, networks were drawn uniformly and trained alone; they are never used to fit or to choose.",
        ),
        audit=sentences.predictor_against_supernet(run.audit_summary, sentences.coverage(run.parameters)),
        measured="Each dot is a network: its score to the right, its accuracy when trained alone upwards. Only the "
        "order matters, since a score is an estimate of the super-network's accuracy: the closer the dots are to one "
        "rising line, the better.",
        truth_title=ALONE,
        choice_title=ALONE,
        predictor="Cross-seed scores count: the predictor is judged on another super-network seed and on other "
        "validation images than it was fitted to. Same-seed scores reward learning one super-network's bias and are "
        "only a diagnostic.",
    )


def _without_atlas(run: Run) -> str:
    """Where nothing scores all networks: who searched, what there is no score for, and whose the winners are."""
    names = dict.fromkeys(name for found_by in run.candidates["method"] for name in methods_of(found_by))
    at_initialisation = [name for name in names if name in WITHOUT_TRAINING]
    scoring = [name for name in names if name not in WITHOUT_TRAINING]
    by_scores = "by a training of each network alone" if run.methods_train else "by scores inside super-networks"
    groups = ((scoring, by_scores), (at_initialisation, "at initialisation"))
    who = [f"{numbers.listed(some).replace('_', ' ')} {how}" for some, how in groups if some]
    searched = f"Searched by {', and by '.join(who)}"
    scored = f"{_supernets(run)} trained, but no predictor was fitted"
    if not _seeds(run):
        scored = "no super-network was trained"
    searched = f"{searched}; {scored}, so no score ranks all networks, and there is no atlas and no audit of scores."
    if run.alone_is_looked_up:
        table = run.table or run.true_table
        return f"{searched} The first for each budget were looked up in the public table {table}."
    source, own = run.image_description.get("source", "the images"), sum(bool(one.get("method")) for one in run.found)
    whose = "its" if len(names) == 1 else "their"
    its_own = f"{own} of {len(run.found)} chosen networks {'is' if own == 1 else 'are'} {whose} own"
    return (
        f"{searched} {whose.capitalize()} first networks for each budget were trained alone on {source}, beside random "
        f"ones, and the best was chosen on validation images: {its_own}."
    )


def _compared(run: Run, table: str) -> Words:
    """Super-networks were trained, and what networks reach alone is looked up."""
    trained, truth = _trained(run), run.true_accuracy
    family = run.tuning_summary.get("family", "none")
    return replace(
        trained,
        summary=f"{_supernets(run)} trained on {run.image_description.get('source', 'the images')}, {_scored(run)} of "
        f"the networks inside were scored, a predictor ({family}) was fitted to the scores of {_sampled(run)}, and "
        f"{numbers.whole(len(run.atlas))} networks were predicted. What each score says was then held against the "
        f"{truth} accuracies of the public table {table}, and the best for each budget were looked up there.",
        found=f"One card per budget: the network that the predictor ranks best within it. Its {truth} accuracy, with "
        f"the spread over trainings, is that of the public table {table}; {_chosen_by(run)}. Beside it stands "
        "the best that the table holds within the same budget.",
        comparison="Each mark above is one training that others have made, and a short line is a mean. The random "
        "networks keep the same budget.",
        trust=_trust(run, _audited_in_table(truth)),
        measured=f"Each dot is a network: its score to the right, its {truth} accuracy in the table upwards. Only the "
        "order matters, since a score is an estimate of the super-network's accuracy: the closer the dots are to one "
        "rising line, the better. The candidates are the winners alone: no other was looked up.",
        truth_title=f"{truth} accuracy in the table",
        choice_title=f"{truth} accuracy in the table",
    )


def _chosen_by(run: Run) -> str:
    if run.calibration_summary:
        return "it was not looked at to choose, unless the predictor was calibrated by this very network"
    return "nothing was chosen by it"


def _looked_up(run: Run, table: str) -> Words:
    label, truth = run.table_parameter("label"), run.table_parameter("truth")
    same = label == truth
    blind = (
        f"the table has nothing else, so that the same {truth} accuracy is reported"
        if same
        else f"its {truth} accuracy was read afterwards"
    )
    candidates = run.trainings.loc[run.trainings["role"] == "candidate", "network"].nunique()
    return Words(
        summary=f"Nothing was trained: accuracies come from the public table {table}. {_sampled(run)} of its networks "
        f"were looked up, {_fitted_and_mapped(run)}, {candidates} more at most, were looked up as well.",
        networks="distinct networks that the table knows",
        found=f"One card per budget: a network that keeps it. The winner is chosen by the {label} accuracy of "
        f"the table, and {blind}. Beside it stands the best that the table holds within the same budget.",
        comparison="Each mark above is one training, or the mean of several where the table has no more, and a short "
        "line is a mean. The random networks keep the same budget.",
        images=f"{run.image_description.get('source', numbers.DASH)} (not here: looked up in the table {table})",
        trust=_trust(run, _audited_in_table(truth)),
        audit=sentences.predictor_against_table(run.audit_summary, f"{label} accuracy", f"{truth} accuracy"),
        measured=f"Each dot is a network: its score to the right, its accuracy in the table upwards, {truth} accuracy "
        f"for the audit and {label} accuracy for the candidates. The closer the dots are to one rising line, the "
        "better.",
        truth_title=f"{truth} accuracy in the table",
        choice_title=f"{label} accuracy in the table",
        predictor="Predictors are scored on networks that were held out of their fit; where the table has several "
        "trainings of each, also against another training than they were fitted to.",
    )


def _supernets(run: Run) -> str:
    return f"{_seeds(run)} super-networks were" if _seeds(run) != 1 else "One super-network was"


def _seeds(run: Run) -> int:
    return int(run.supernet_curves["seed"].nunique()) if len(run.supernet_curves) else 0


def _scored(run: Run) -> str:
    """How many networks the super-networks were asked about, of the sample or of the whole space."""
    counted = (run.truth_summary.get("scorers") or {}).get("supernet_accuracy") or {}
    return numbers.whole(counted["networks"]) if counted else _sampled(run)


def _sampled(run: Run) -> str:
    return numbers.whole(run.evaluations["network"].nunique() if len(run.evaluations) else 0)


def _fitted_and_mapped(run: Run) -> str:
    family = run.tuning_summary.get("family", "none")
    first = "the best by that for each budget"
    if run.ranked_by_macs():
        first = "the largest for each budget, for want of a signal in their scores,"
    elif run.by_turns:
        first = "the best by that of each size and width, in turns, for each budget"
    return (
        f"a predictor ({family}) was fitted to the scores, {numbers.whole(len(run.atlas))} networks were predicted, "
        f"and {first}"
    )


def _trained_on(run: Run) -> list[bool]:
    """Of each winner that was trained on, whether that is what is exported."""
    return [bool(winner["finished"]["better"]) for winner in run.found if winner.get("finished")]


def _beside_exported(run: Run) -> str:
    """How a winner that was trained alike differs from what is exported; empty where it is that."""
    better = _trained_on(run)
    if not any(better):
        return ""
    return ": shorter than what is exported" + ("" if len(better) == sum(better) else ", where training on has helped")


def _audited_in_table(truth: str | None) -> str:
    return (
        "For the audit, networks were drawn uniformly from those that the predictor was not fitted to; their "
        f"{truth} accuracy in the table is the truth."
    )


def _trust(run: Run, audited: str) -> str:
    """What the audit did and how its figure is read; where there was none, that there was none."""
    summary = run.audit_summary
    if not summary.get("count"):
        return "No networks were drawn for an audit, which would say how well scores put networks in order."
    ceiling = ", and the dashed line is how well two trainings of the same networks agree"
    return (
        f"{audited} Kendall tau-b is 1 if a score ranks them as {reference(summary)} does and 0 if it ranks them at "
        f"random. Whiskers are {sentences.coverage(run.parameters)} bootstrap intervals"
        f"{'' if numbers.is_missing(summary.get('tau_ceiling')) else ceiling}."
    )
