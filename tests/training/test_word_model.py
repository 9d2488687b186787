from tests.training.test_challenge import numbered
from training.word_model import word_model
from tweetsent.labels import Label


def test_it_learns_which_words_speak_for_which_label_in_turkish_case() -> None:
    rows = numbered(60)
    model = word_model().fit([row.text for row in rows], [row.label.value for row in rows])
    assert list(model.predict(["çok SIRADAN", "BERBAT bir gün", "harika"])) == [
        Label.NEUTRAL,
        Label.NEGATIVE,
        Label.POSITIVE,
    ]


def test_the_same_rows_give_the_same_model() -> None:
    rows = numbered(30)
    texts, labels = [row.text for row in rows], [row.label.value for row in rows]
    first, second = (word_model().fit(texts, labels).predict_proba(texts) for _ in range(2))
    assert (first == second).all()
