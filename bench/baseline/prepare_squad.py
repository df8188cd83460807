#!/usr/bin/env python3
"""Makes question cases for fitting the extractive baseline, from SQuAD v1.1 and v2.0 (read in place, never copied).

usage: prepare_squad.py DATA_FOLDER MODEL_FOLDER OUT.jsonl [QUESTIONS_PER_KIND]

Each line is one question with its five retrieved paragraphs. Retrieval is BM25 and a dense leg (the embedder in
MODEL_FOLDER, by sentence-transformers) fused by reciprocal rank with k = 60, over all 2,067 paragraphs of v1.1:
  answerable   v1.1 questions
  adversarial  v2.0 questions that their own paragraph does not answer, though it reads as if it did
  outside      v1.1 questions with their whole article taken out of the collection
Articles are split by their position in the alphabet: even ones train, odd ones test.
"""
import json
import math
import random
import re
import sys
from collections import Counter, defaultdict

import numpy as np
from sentence_transformers import SentenceTransformer

STOP = set("""a an and any are as at be been but by can could did do does for from had has have he her his how i if in
into is it its me my of on or our she should so some than that the their them there these they this those to us was we
were what when where which who whom whose why will with would you your about after all also am because being both each
""".split())


def words(text):
    return re.findall(r"[^\W_]+", text.lower())


def stem(word):
    for suffix in ("ingly", "edly", "ing", "ies", "ed", "es", "ly", "s"):
        if word.endswith(suffix) and len(word) - len(suffix) >= 3:
            return word[: -len(suffix)] + ("y" if suffix == "ies" else "")
    return word


def main():
    data, model, out = sys.argv[1:4]
    per_kind = int(sys.argv[4]) if len(sys.argv) > 4 else 1500
    chosen = random.Random(20240301)
    v1 = json.load(open(f"{data}/dev-v1.1.json"))["data"]
    v2 = json.load(open(f"{data}/dev-v2.0-half.json"))["data"]
    titles = sorted(article["title"] for article in v1)
    split_of = {title: "train" if i % 2 == 0 else "test" for i, title in enumerate(titles)}
    # Half of the articles get their title as heading path, so that both situations are seen.
    heading_of = {title: title.replace("_", " ") if (i // 2) % 2 == 0 else "" for i, title in enumerate(titles)}
    paragraphs, article_of, questions = [], [], []
    for article in v1:
        for paragraph in article["paragraphs"]:
            paragraphs.append(paragraph["context"])
            article_of.append(article["title"])
            for qa in paragraph["qas"]:
                questions.append((qa["id"], article["title"], len(paragraphs) - 1, qa["question"].strip(),
                                  sorted({a["text"] for a in qa["answers"]})))
    place = {text: i for i, text in enumerate(paragraphs)}
    unanswerable = []
    for article in v2:
        for paragraph in article["paragraphs"]:
            for qa in paragraph["qas"]:
                if qa.get("is_impossible") or not qa["answers"]:
                    unanswerable.append((qa["id"], article["title"], place[paragraph["context"]], qa["question"].strip(), []))
    chosen.shuffle(questions)
    chosen.shuffle(unanswerable)
    answerable, unanswerable = questions[:per_kind], unanswerable[:per_kind]
    outside = questions[per_kind: 2 * per_kind]

    encoder = SentenceTransformer(model, device="cpu")
    texts = [(heading_of[a] + "\n" + p) if heading_of[a] else p for p, a in zip(paragraphs, article_of)]
    vectors = encoder.encode(texts, batch_size=32, normalize_embeddings=True, show_progress_bar=False)
    every = [("answerable", q) for q in answerable] + [("adversarial", q) for q in unanswerable] + [("outside", q) for q in outside]
    asked = encoder.encode([q[3] for _, q in every], batch_size=64, normalize_embeddings=True, show_progress_bar=False)

    counts = [Counter(stem(w) for w in words(t)) for t in texts]
    lengths = np.array([sum(c.values()) for c in counts], dtype=float)
    average = lengths.mean()
    postings = defaultdict(list)
    for i, c in enumerate(counts):
        for w, n in c.items():
            postings[w].append((i, n))
    total = len(paragraphs)
    idf = lambda w: math.log(1 + (total - len(postings.get(w, ())) + 0.5) / (len(postings.get(w, ())) + 0.5))

    with open(out, "w") as file:
        for (kind, (qid, title, gold, question, answers)), vector in zip(every, asked):
            terms = [w for w in dict.fromkeys(words(question)) if w not in STOP] or words(question)
            bm25 = np.zeros(total)
            for w in {stem(t) for t in terms}:
                for i, n in postings.get(w, ()):
                    bm25[i] += idf(w) * n * 2.2 / (n + 1.2 * (0.25 + 0.75 * lengths[i] / average))
            cosine = vectors @ vector
            if kind == "outside":
                gone = np.array([a == title for a in article_of])
                bm25[gone], cosine = 0.0, np.where(gone, -1.0, cosine)
            lexical = [i for i in np.argsort(-bm25, kind="stable")[:100] if bm25[i] > 0]
            dense = list(np.argsort(-cosine, kind="stable")[:100])
            fused = defaultdict(float)
            for leg in (lexical, dense):
                for rank, i in enumerate(leg, 1):
                    fused[i] += 1 / (60 + rank)
            lexical_rank = {i: r for r, i in enumerate(lexical, 1)}
            dense_rank = {i: r for r, i in enumerate(dense, 1)}
            hits = []
            for i in sorted(fused, key=lambda i: -fused[i])[:5]:
                hits.append({"text": paragraphs[i], "heading": heading_of[article_of[i]], "score": fused[i],
                             "bm25": float(bm25[i]), "cosine": float(cosine[i]), "bm25_rank": lexical_rank.get(i),
                             "cosine_rank": dense_rank.get(i), "gold": bool(kind == "answerable" and i == gold)})
            file.write(json.dumps({"id": qid, "kind": kind, "article": title, "split": split_of[title], "question": question,
                                   "answers": answers, "terms": terms, "idf": [idf(stem(t)) for t in terms],
                                   "hits": hits}) + "\n")


if __name__ == "__main__":
    main()
