run loam generate -n 8 --json "Name three colours."
expect exit 0
expect json /text is text
expect json /usage/answer_tokens <= 8
expect json /finish in ["stop", "length"]
shell loam generate -n 8 "Name three colours." > first.txt && loam generate -n 8 "Name three colours." > second.txt && cmp first.txt second.txt
expect exit 0
