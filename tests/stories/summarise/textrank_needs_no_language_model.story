models none
file report.md:
    The bakery opens at six. Fresh bread leaves the bakery oven at seven. Customers of the bakery buy bread and rolls.
    A cat sleeps on the roof.

run loam summarise report.md --baseline-only --sentences 1 --json
expect exit 0
expect json /from == "textrank"
expect json /summary contains "bread"
expect json /coverage/calls == 0
run loam summarise report.md --baseline-only --sentences 1
expect out contains Customers of the bakery buy bread and rolls.
expect out contains report.md
run loam summarise report.md
expect exit 2
expect err contains --baseline-only
