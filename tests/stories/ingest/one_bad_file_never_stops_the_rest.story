file docs/good.md: The meeting room is called Aurora.
bytes docs/binary.bin: \x00\x01\x02\xff\xfe\x00\x00
encrypted-pdf docs/secret.pdf: A secret
bytes docs/lying.pdf: GIF89a\x01\x00\x01\x00\x00\x00\x00
bytes docs/latin.txt: Caf\xe9 opens at nine.
file docs/empty.md:
run loam ingest --json docs
expect exit 1
expect jsonl some /verdict == "ingested"
expect jsonl some /verdict == "failed"
ask-baseline What is the meeting room called?
expect answered
run loam check
expect exit 0
