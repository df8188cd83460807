#!/usr/bin/env python3
"""Writes reference.json: what SciPy, statsmodels, scikit-learn, NLTK, rouge-score and sacreBLEU say of small cases.

The tests hold our own results against it. Run once, when a case is added:
    pip install scipy==1.17.1 statsmodels==0.15.0 scikit-learn==1.9.1 rouge-score==0.1.2 sacrebleu==2.6.0
    python3 src/eval/testdata/make_reference.py
"""
import itertools
import json
import pathlib
import sys
import warnings

import numpy as np
import sacrebleu
import scipy.stats as st
from nltk.stem.porter import PorterStemmer
from rouge_score import rouge_scorer
from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, log_loss, precision_recall_fscore_support
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import NormalIndPower
from statsmodels.stats.proportion import proportion_confint

RESAMPLES = 200_000

# Candidate and two references each: our own sentences, chosen for what goes wrong in tokenizers.
TRIPLES = [
    ("The parcel arrived on Tuesday.", "The parcel came on Tuesday.", "On Tuesday the parcel arrived."),
    ("A baker sold 1,250.50 loaves at 3.20 each, twice.", "The baker sold 1,250.50 loaves for 3.20 each.",
     "Twice a baker sold 1250.50 loaves, at 3.20."),
    ("", "Nothing was said.", "No answer."),
    ("Nothing was said.", "", ""),
    ("well-known follow-up in 2019-2020 (see p.5)", "a well-known follow-up, 2019-2020; see p. 5.",
     "The follow-up of 2019-2020 is well known."),
    ("Caf\u00e9 Z\u00fcrich serves cr\u00e8me br\u00fbl\u00e9e \u2013 \u201cthe best\u201d!",
     "The Caf\u00e9 Z\u00fcrich serves the best cr\u00e8me br\u00fbl\u00e9e.",
     "Caf\u00e9 Z\u00fcrich: cr\u00e8me br\u00fbl\u00e9e, \u201cthe best\u201d."),
    ("\u732b\u306f\u5c4b\u6839\u306e\u4e0a\u306b\u3044\u308b\u3002", "\u732b\u306f\u5c4b\u6839\u306b\u3044\u308b\u3002",
     "\u5c4b\u6839\u306e\u4e0a\u306e\u732b\u3002"),
    ("one", "one", "one two"),
    ("one two", "one two three four five six", "two one"),
    ("the the the the the the the", "the cat is on the mat", "there is a cat on the mat"),
    ("&quot;Salt &amp; pepper&quot; costs &lt;5 euros", "\"Salt & pepper\" costs <5 euros", "Salt and pepper cost 5 euros"),
    ("It isn't John's; it's the neighbours' dog, isn't it?", "It is not John's, it is the neighbours' dog.",
     "The dog is the neighbours', not John's."),
    ("$5.00/hour + tax = [unknown] {maybe} 50% ^_^ ~a|b `c`", "$5.00 per hour + tax is unknown, maybe 50%.",
     "5.00/hour plus tax [unknown]"),
    ("First line of two.\nSecond line here.", "First line, of two.\nThe second line is here.", "Two lines.\nHere."),
    ("hyphen-\nated word\tand a tab\u00a0here ", "hyphenated word and a tab here", "hyphen-ated word and tab"),
    ("... ,, .5 5. a.b,c 3-4 -7 x-3 3.-2,,1", "... , .5 5 . a . b , c 3 - 4 -7", "dots and commas"),
    ("\u212aelvin and \u0130stanbul 25\u2103", "kelvin and i stanbul 25 C", "Kelvin, Istanbul"),
    ("Studies showed the relational possibilities flying easily; happily cried babies were agreeing.",
     "The study shows that relating possibility is flying with ease, and a happy baby cries and agrees.",
     "Relational studies, rationalised generalisations, hopefulness."),
    ("\U0001f642 thanks \U0001f642\U0001f642 !", "thanks \U0001f642!", "\U0001f642"),
    ("UPPER lower MiXeD 42nd", "upper LOWER mixed 42nd", "Upper-lower-mixed, 42nd"),
]

# For the summary-level measure: several lines, repeated words, blank lines, and one line beyond 64 words.
LONG_A = " ".join(f"word{i * i % 97} the of{i % 5}" for i in range(120))
LONG_B = " ".join(f"word{i * 7 % 89} of{i % 4} the" for i in range(110))
SUMMARIES = [
    ("The mill burnt down.\nNobody was hurt.\n\nThe owner will build it again.",
     "Nobody was hurt when the mill burnt down.\nThe owner said that he will build it up again."),
    ("b a c\na b\nc c a", "a b c d\nc a b\nb b a c"),
    (LONG_A, LONG_B),
    (LONG_A + "\n" + LONG_B, LONG_B[:700] + "\n" + LONG_A[300:1200] + "\nthe end"),
    ("\n\n", "a line\n"),
]

STEMS = ("run generous relat condition valu digit vietnam radic vile analog geolog archaeolog hope dependent activat "
         "triplic form electric good reviv allow infer airlin gyroscop adjust defens irrit replac adopt homolog commun "
         "effect bowdler rate ceas contr roll sky spy cry enjoy die tie play agre feed plast mot tan fall hiss fizz fail "
         "fil hop sensib probab decis hap fl th y yy oxy syzyg tro").split()
SUFFIXES = ("", "s", "es", "ies", "ss", "sses", "ed", "ied", "eed", "ing", "y", "ly", "ational", "tional", "enci", "anci",
            "izer", "abli", "bli", "alli", "entli", "eli", "ousli", "ization", "ation", "ator", "alism", "iveness",
            "fulness", "ousness", "aliti", "iviti", "biliti", "fulli", "logi", "icate", "ative", "alize", "iciti", "ical",
            "ful", "ness", "al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent", "ion", "sion",
            "tion", "ou", "ism", "ate", "iti", "ous", "ive", "ize", "e", "ll", "lle")
IRREGULAR = "sky skies dying lying tying news innings inning outings outing cannings canning howe proceed exceed succeed " \
            "dies died ties by say boy yes yoyo sayyid".split()


def overlap(score):
    return [score.precision, score.recall, score.fmeasure]


def rouge(candidate, references, stem):
    scorer = rouge_scorer.RougeScorer(["rouge1", "rouge2", "rougeL", "rougeLsum"], use_stemmer=stem)
    found = scorer.score_multi(references, candidate)
    return {name: overlap(found[name]) for name in ("rouge1", "rouge2", "rougeL", "rougeLsum")}


def text_scores():
    cases = []
    for candidate, *references in TRIPLES:
        case = {"candidate": candidate, "references": references, "tokens": Tokenizer13a()(candidate.rstrip()).split()}
        bleu = sacrebleu.sentence_bleu(candidate, references)
        case["bleu"] = {"score": bleu.score, "precisions": bleu.precisions, "brevity_penalty": bleu.bp,
                        "candidate_words": bleu.sys_len, "reference_words": bleu.ref_len}
        case["bleu_one"] = sacrebleu.sentence_bleu(candidate, references[:1]).score
        case["chrf"] = sacrebleu.sentence_chrf(candidate, references).score
        case["chrf_plus_plus"] = sacrebleu.sentence_chrf(candidate, references, word_order=2).score
        case["rouge"] = rouge(candidate, references[:1], False)
        case["rouge_stemmed"] = rouge(candidate, references[:1], True)
        case["rouge_multi"] = rouge(candidate, references, True)
        cases.append(case)
    for candidate, reference in SUMMARIES:
        cases.append({"candidate": candidate, "references": [reference], "rouge": rouge(candidate, [reference], False),
                      "rouge_stemmed": rouge(candidate, [reference], True)})
    corpora = []
    for part in (slice(0, None), slice(0, 2), slice(7, 9), slice(2, 3), slice(6, 8)):
        candidates = [c for c, *_ in TRIPLES[part]]
        streams = [[r[i] for _, *r in TRIPLES[part]] for i in range(2)]
        bleu = sacrebleu.corpus_bleu(candidates, streams)
        corpora.append({
            "candidates": candidates, "references": [list(pair) for pair in zip(*streams)],
            "bleu": {"score": bleu.score, "precisions": bleu.precisions, "brevity_penalty": bleu.bp,
                     "candidate_words": bleu.sys_len, "reference_words": bleu.ref_len},
            "chrf": sacrebleu.corpus_chrf(candidates, streams).score,
            "chrf_plus_plus": sacrebleu.corpus_chrf(candidates, streams, word_order=2).score})
    stemmer = PorterStemmer()
    words = IRREGULAR + [stem + suffix for stem in STEMS for suffix in SUFFIXES]
    # Every third keeps the file small; the first pass over all of them was equal too.
    words = IRREGULAR + words[len(IRREGULAR)::3]
    return {"cases": cases, "corpora": corpora, "stems": {w: stemmer.stem(w) for w in words}}


def paired_case(name, a, b, clusters=None):
    a, b = np.asarray(a, float), np.asarray(b, float)
    if clusters is None:
        sums, counts = np.stack([a, b]), np.ones(len(a))
    else:
        names = list(dict.fromkeys(clusters))
        pick = [np.array([c == name for c in clusters]) for name in names]
        sums = np.array([[x[p].sum() for p in pick] for x in (a, b)])
        counts = np.array([p.sum() for p in pick], float)
    units = len(counts)
    total = counts.sum()
    rng = np.random.default_rng(7)
    exact = 2 ** units <= RESAMPLES
    p = st.permutation_test((sums[1], sums[0]), lambda x, y, axis: np.sum(x - y, axis=axis) / total,
                            permutation_type="samples", n_resamples=np.inf if exact else RESAMPLES, vectorized=True,
                            rng=rng).pvalue

    def interval(values):
        def mean(v, c, axis):
            return v.sum(axis=axis) / c.sum(axis=axis)
        # Hesterberg's expanded percentiles.
        level = 1 - 2 * st.norm.cdf(-np.sqrt(units / (units - 1)) * st.t.ppf(0.975, units - 1))
        found = st.bootstrap((values, counts), mean, paired=True, n_resamples=RESAMPLES, method="percentile", batch=2000,
                             confidence_level=level, vectorized=True, rng=rng)
        return [found.confidence_interval.low, found.confidence_interval.high, found.standard_error]
    d = sums[1] - sums[0]
    mean = d.sum() / total
    error = np.sqrt(np.sum((d - mean * counts) ** 2) * units / (units - 1)) / total
    effect = NormalIndPower().solve_power(effect_size=None, nobs1=total, alpha=0.05, power=0.8, ratio=0)
    return {"name": name, "a": a.tolist(), "b": b.tolist(), "clusters": clusters or [], "p": p, "exact": bool(exact),
            "mean_a": a.mean(), "mean_b": b.mean(), "difference": mean, "interval_a": interval(sums[0]),
            "interval_b": interval(sums[1]), "interval_difference": interval(d),
            "minimum_detectable": effect * error * np.sqrt(total)}


def significance():
    rng = np.random.default_rng(11)
    pairs = []
    a = rng.beta(2, 2, 40).round(3)
    pairs.append(paired_case("forty scores", a, np.clip(a + rng.normal(0.05, 0.12, 40), 0, 1).round(3)))
    pairs.append(paired_case("ten scores", [.1, .4, .5, .9, .3, .2, .8, .7, .6, .5], [.2, .5, .5, 1, .2, .4, .9, .9, .6, .7]))
    a = rng.normal(20, 5, 120).round(2)
    pairs.append(paired_case("many scores, hardly different", a, (a + rng.normal(0.2, 3, 120)).round(2)))
    clusters = [f"doc {i}" for i in rng.integers(0, 18, 90)]
    shift = {c: rng.normal(0.08, 0.15) for c in sorted(set(clusters))}
    a = rng.integers(0, 2, 90).astype(float)
    b = np.clip(a * 0.6 + 0.2 + np.array([shift[c] for c in clusters]), 0, 1).round(2)
    pairs.append(paired_case("ninety items of eighteen documents", a, b, clusters))
    pairs.append(paired_case("six documents", rng.random(30).round(2), rng.random(30).round(2),
                             [f"d{i % 6}" for i in range(30)]))
    tables = [[b, c, float(mcnemar([[5, b], [c, 9]], exact=True).pvalue)]
              for b, c in [(0, 0), (0, 1), (0, 6), (1, 8), (3, 5), (10, 25), (40, 41), (100, 150), (1200, 1000), (0, 2000)]]
    lists = [[0.01, 0.04, 0.03, 0.005], [0.5], [], [0.2, 0.2, 0.9, 0.0001, 0.049], [1.0, 0.6, 0.5], [0.03] * 6]
    return {
        "pairs": pairs, "mcnemar": tables,
        "holm": [[p, multipletests(p, method="holm")[1].tolist() if p else []] for p in lists],
        "normal_quantile": [[p, float(st.norm.ppf(p))] for p in
                            [1e-300, 1e-50, 1e-10, 1e-5, 0.001, 0.025, 0.05, 0.0749, 0.2, 0.4, 0.5, 0.6, 0.8, 0.9251, 0.95,
                             0.975, 0.999, 1 - 1e-10]],
        "student_quantile": [[p, d, float(st.t.ppf(p, d))] for p in [0.01, 0.5, 0.6, 0.975, 0.9999]
                             for d in [1, 2, 5, 17.5, 299, 1e5]],
        "beta_quantile": [[p, a, b, float(st.beta.ppf(p, a, b))] for p in [1e-6, 0.025, 0.3, 0.5, 0.95, 0.999]
                          for a, b in [(1, 1), (0.5, 0.5), (2, 5), (30, 1), (1, 400), (95, 6), (2850, 151), (1e5, 3e5)]],
        "clopper_pearson": [[k, n, level, *map(float, proportion_confint(k, n, alpha=1 - level, method="beta"))]
                            for k, n in [(0, 10), (10, 10), (1, 10), (7, 10), (95, 100), (285, 300), (2990, 3080), (1, 5000)]
                            for level in (0.9, 0.95, 0.99)],
        "minimum_detectable": [[sd, n, level, power, float(sd * NormalIndPower().solve_power(
            effect_size=None, nobs1=n, alpha=level, power=power, ratio=0))]
            for sd, n in [(0.5, 300), (0.2, 50), (1.3, 4000)] for level, power in [(0.05, 0.8), (0.01, 0.9)]],
        "items_needed": [[sd, effect, float(NormalIndPower().solve_power(
            effect_size=effect / sd, nobs1=None, alpha=0.05, power=0.8, ratio=0))]
            for sd, effect in [(0.3, 0.01), (0.5, 0.02), (0.25, 0.05), (0.6, 0.01)]],
    }


def aurc_over_orders(wrong, confidence):
    """Mean over all orders of equal confidences, by trying them all."""
    areas = []
    for order in itertools.permutations(range(len(wrong))):
        if any(confidence[x] < confidence[y] for x, y in zip(order, order[1:])):
            continue
        errors = np.array([wrong[i] for i in order])
        areas.append(np.mean(np.cumsum(errors) / np.arange(1, len(errors) + 1)))
    return float(np.mean(areas))


def classification():
    rng = np.random.default_rng(5)
    sets = []
    for n, classes, used in [(200, 5, 5), (60, 12, 9), (7, 3, 3)]:
        truth = rng.integers(0, used, n)
        confidence = rng.beta(4, 1.5, n).round(2 if n == 7 else 6)
        said = np.where(rng.random(n) < confidence, truth, rng.integers(0, used, n))
        if n == 7:
            confidence = np.array([0.9, 0.9, 0.9, 0.5, 0.5, 0.2, 1.0])
        p, r, f, s = precision_recall_fscore_support(truth, said, labels=range(classes), zero_division=0)
        wrong = (truth != said).astype(float)
        bins, ece = 15, 0.0
        for low in range(bins):
            inside = (confidence > low / bins) & (confidence <= (low + 1) / bins)
            if inside.any():
                ece += inside.mean() * abs((1 - wrong[inside]).mean() - confidence[inside].mean())
        order = np.argsort(-confidence, kind="stable")
        aurc = aurc_over_orders(wrong, confidence) if n == 7 else float(
            np.mean(np.cumsum(wrong[order]) / np.arange(1, n + 1)))
        right = np.where(wrong == 0, confidence, (1 - confidence) / 2)
        sets.append({
            "truth": truth.tolist(), "said": said.tolist(), "confidence": confidence.tolist(), "classes": classes,
            "accuracy": accuracy_score(truth, said), "macro_f1": f1_score(truth, said, average="macro", zero_division=0),
            "confusion": confusion_matrix(truth, said, labels=range(classes)).ravel().tolist(),
            "precision": p.tolist(), "recall": r.tolist(), "f1": f.tolist(), "items": s.tolist(), "ece": ece, "aurc": aurc,
            "probability_of_truth": right.tolist(),
            "log_loss": log_loss(np.ones(n), np.stack([1 - right, right], 1), labels=[0, 1])})
    return {"sets": sets}


def main():
    warnings.simplefilter("ignore")
    found = {"made_with": {"python": sys.version.split()[0], "sacrebleu": sacrebleu.__version__},
             "texts": text_scores(), "significance": significance(), "classification": classification()}
    target = pathlib.Path(__file__).with_name("reference.json")
    target.write_text(json.dumps(found, indent=None, separators=(",", ":"), ensure_ascii=True) + "\n")
    print(target, target.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
