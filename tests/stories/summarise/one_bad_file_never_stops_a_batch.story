file a.md: The mill stands by the river. The river drives the mill wheel.
bytes b.md: \x7fELF\x02\x01\x01\x00\x00\x00\x00\x00
run loam summarise a.md b.md nosuch.md --baseline-only
expect exit 1
expect jsonl count 3
expect err contains nosuch.md
expect err contains 1 of 3 done, 2 failed
