#!/usr/bin/env python3
"""Multiple-choice items from the evaluation data: make_items.py DATA_FOLDER OUT.jsonl

200 questions of MMLU as a cloze (question, then each answer's text; the letters A to D are not used), of all
subjects in turn, and 20 sentences of scientific abstracts (SciTLDR), each with its true next sentence and three
from other abstracts. The same data give the same file.
"""
import csv
import json
import random
import sys
from pathlib import Path

QUESTIONS, SENTENCES = 200, 20
LONGEST_QUESTION, LONGEST_CHOICE, LONGEST_SENTENCE = 140, 60, 200  # characters: short items, many of them


def questions(folder):
    subjects = []
    for file in sorted((folder / "test").glob("*.csv")):
        with open(file, encoding="utf-8", newline="") as text:
            rows = [row for row in csv.DictReader(text) if len(row["question"]) <= LONGEST_QUESTION
                    and all(len(row[f"choice{i}"]) <= LONGEST_CHOICE for i in range(4))]
        subjects.append((file.stem.removesuffix("_test"), rows))
    items = []
    for number in range(max(len(rows) for _, rows in subjects)):
        for subject, rows in subjects:
            if number >= len(rows) or len(items) == QUESTIONS:
                continue
            choices = [rows[number][f"choice{i}"].strip() for i in range(4)]
            if len(set(choices)) < 4 or not all(choices):
                continue
            items.append({"id": f"mmlu-{subject}-{number}", "cluster": subject,
                          "context": "Question: " + rows[number]["question"].strip() + "\nAnswer:",
                          "choices": choices, "answer": int(rows[number]["answer"])})
    return items


def sentences(file):
    papers = [json.loads(line) for line in open(file, encoding="utf-8")]
    papers = [[s.strip() for s in p["source"] if 40 <= len(s.strip()) <= LONGEST_SENTENCE] for p in papers]
    papers = [p for p in papers if len(p) >= 3]
    draw = random.Random(1)
    items = []
    for number in range(SENTENCES):
        paper = papers[number]
        others = draw.sample([i for i in range(len(papers)) if i != number], 3)
        choices = [draw.choice(papers[i]) for i in others]
        answer = draw.randrange(4)
        choices.insert(answer, paper[1])
        items.append({"id": f"scitldr-{number}", "context": paper[0], "choices": choices, "answer": answer})
    return items


data, out = Path(sys.argv[1]), Path(sys.argv[2])
items = questions(data / "12-routing-mmlu") + sentences(data / "04-sum-scitldr" / "dev.jsonl")
out.parent.mkdir(parents=True, exist_ok=True)
with open(out, "w", encoding="utf-8") as file:
    for item in items:
        file.write(json.dumps(item, ensure_ascii=False) + "\n")
print(f"{len(items)} items in {out}")
