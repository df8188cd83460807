#!/usr/bin/env python3
"""Makes linear_fixture.json: what scikit-learn computes for a few texts. Needs scikit-learn; tests only read the result.

usage: make_linear_fixture.py > linear_fixture.json
"""
import json
import sys

import numpy
import sklearn
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

TEXTS = [
    ("refund", "I want my money back for the broken kettle."),
    ("refund", "Please refund order 4411, the lamp arrived broken"),
    ("refund", "Refund refund REFUND! The shoes are too small."),
    ("refund", "How do I return a pair of shoes and get my money back?"),
    ("refund", "The kettle is broken; money back please"),
    ("refund", "Return the lamp, it does not work."),
    ("refund", "Ich möchte mein Geld zurück, die Lampe ist kaputt"),
    ("delivery", "Where is my parcel? It was due on 3 May."),
    ("delivery", "The parcel has not arrived yet."),
    ("delivery", "When will order 5512 be delivered to Zürich?"),
    ("delivery", "My delivery is late again, where is the driver"),
    ("delivery", "Track the parcel for order 4411"),
    ("delivery", "Delivery to the wrong address: the parcel went to my neighbour"),
    ("delivery", "Wo ist mein Paket? Die Lieferung ist zu spät."),
    ("delivery", "Has the driver left the parcel at the door?"),
    ("account", "I forgot my password and cannot log in"),
    ("account", "Please change the e-mail address of my account."),
    ("account", "Log in fails: password is not accepted"),
    ("account", "Delete my account and all my data."),
    ("account", "The account is locked after three wrong passwords"),
    ("account", "user_name and pass_word are not accepted, error 403"),
    ("account", "Ich habe das Passwort vergessen"),
    ("praise", "Thank you, the driver was very kind!"),
    ("praise", "Great shoes, great service. Thanks"),
    ("praise", "The lamp is beautiful, thank you very much"),
    ("praise", "Best kettle I ever had"),
    ("praise", "Service was great again"),
    ("praise", "Vielen Dank für die schöne Lampe, ÄÖÜ!"),
]
UNSEEN = [
    "refund my order please",
    "the PARCEL is late",
    "password password password",
    "thank you for the great kettle",
    "qqq zzz",
    "",
    "Größe der Schuhe: zu klein\tund   kaputt",
    "a b c of it",
]


def rows(matrix):
    matrix = matrix.tocsr()
    matrix.sort_indices()
    result = []
    for i in range(matrix.shape[0]):
        part = slice(matrix.indptr[i], matrix.indptr[i + 1])
        result.append([matrix.indices[part].tolist(), [float(f"{v:.9g}") for v in matrix.data[part]]])
    return result


def rounded(array):
    return [[float(f"{v:.9g}") for v in row] for row in numpy.atleast_2d(array)]


def main():
    texts = [t for _, t in TEXTS]
    names = sorted({c for c, _ in TEXTS})
    labels = numpy.array([names.index(c) for c, _ in TEXTS])
    out = {"scikit_learn": sklearn.__version__, "texts": texts, "labels": labels.tolist(), "classes": len(names),
           "unseen": UNSEEN, "tfidf": [], "logistic": []}
    settings = [
        ({"word_ngrams": 2, "character_ngrams": 0, "least_documents": 1, "sublinear": True},
         TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)),
        ({"word_ngrams": 1, "character_ngrams": 0, "least_documents": 2, "sublinear": False},
         TfidfVectorizer(ngram_range=(1, 1), min_df=2)),
        ({"word_ngrams": 0, "character_ngrams": 5, "least_documents": 1, "sublinear": True},
         TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True)),
    ]
    matrices = []
    for options, vectorizer in settings:
        matrix = vectorizer.fit_transform(texts)
        matrices.append((matrix, vectorizer.transform(UNSEEN)))
        small = options["character_ngrams"] == 0
        out["tfidf"].append({"options": options, "terms": matrix.shape[1],
                             "vocabulary": vectorizer.get_feature_names_out().tolist() if small else None,
                             "rows": rows(matrix) if small else rows(matrix)[:6], "unseen": rows(matrices[-1][1])})
    generator = numpy.random.default_rng(7)
    dense = generator.normal(size=(60, 5)).round(4)
    dense_labels = (dense @ generator.normal(size=(5, 3)) + generator.normal(size=(60, 3))).argmax(axis=1)
    exact = {"solver": "lbfgs", "tol": 1e-12, "max_iter": 100000}
    runs = [
        ("sparse", {"c": 1.0}, matrices[0], labels),
        ("sparse", {"c": 30.0}, matrices[0], labels),
        ("sparse", {"c": 1.0, "balanced": True}, matrices[0], labels),
        ("sparse-binary", {"c": 2.0}, matrices[0], (labels == 3).astype(int)),
        ("sparse-binary", {"c": 2.0, "balanced": True}, matrices[0], (labels == 3).astype(int)),
        ("dense", {"c": 1.0}, (dense, dense[:6] * 0.5), dense_labels),
        ("dense", {"c": 100.0, "balanced": True}, (dense, dense[:6] * 0.5), dense_labels),
    ]
    for kind, options, (train, test), y in runs:
        model = LogisticRegression(C=options["c"], class_weight="balanced" if options.get("balanced") else None, **exact)
        model.fit(train, y)
        run = {"kind": kind, "options": options, "labels": y.tolist(), "coef": rounded(model.coef_),
               "intercept": [float(f"{v:.9g}") for v in model.intercept_], "probabilities": rounded(model.predict_proba(test))}
        if kind == "dense":
            run |= {"rows": rounded(train), "unseen": rounded(test)}
        else:
            run["coef"] = [[float(f"{v:.7g}") for v in row] for row in model.coef_[:, :40]]  # the first 40 columns
        out["logistic"].append(run)
    json.dump(out, sys.stdout, ensure_ascii=False, separators=(",", ":"))
    print()


main()
