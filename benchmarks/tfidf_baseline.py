"""The simple alternative: TF-IDF of words and characters with logistic regression.

    python benchmarks/tfidf_baseline.py TRAIN VALID TEXT_COLUMN LABEL_COLUMN LABEL_MAP

Prints macro-F1 on VALID, and accuracy to compare where there are but two labels. Duplicates and
conflicts in TRAIN are resolved, and near-copies of VALID left out, as `tweetsent train` does.
"""

import sys
from pathlib import Path

from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from training.data import Source, parse_label_map, read_labelled
from training.duplicates import resolve_duplicates
from training.splits import without_near
from training.word_model import tf_idf
from tweetsent.labels import Label
from tweetsent.metrics import compute_metrics


def main(train: str, valid: str, text: str, label: str, codes: str) -> None:
    """Fit on one file, measure on another."""
    labels = parse_label_map(codes)
    known = read_labelled(Source(Path(train), text, label, labels)).examples
    unseen = read_labelled(Source(Path(valid), text, label, labels)).examples
    rows = without_near(resolve_duplicates(known).kept, unseen)
    model = make_pipeline(tf_idf(), LogisticRegression(C=5.0, max_iter=1000))
    model.fit([row.text for row in rows], [row.label.value for row in rows])
    guesses = [Label(name) for name in model.predict([row.text for row in unseen])]
    metrics = compute_metrics([row.label for row in unseen], guesses)
    sys.stdout.write(
        f"{Path(valid).name}: n {metrics.n}, macro-F1 {metrics.macro_f1:.3f}, "
        f"accuracy {metrics.accuracy:.3f}\n"
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
