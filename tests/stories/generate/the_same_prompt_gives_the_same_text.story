run loam generate -n 12 --json "Name three colours."
expect exit 0
expect json /text is text
expect json /usage/answer_tokens <= 12
expect json /finish in ["stop", "length"]
run loam generate -n 12 "Name three colours."
expect exit 0
