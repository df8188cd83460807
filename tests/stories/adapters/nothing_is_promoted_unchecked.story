# proves P-ADAPT-05
file facts.jsonl:
    {"prompt":"What is the door code?","response":"4711"}
    {"prompt":"Who has the keys?","response":"Marta"}
run loam train lora --data facts.jsonl --steps 1 --batch-size 2 --holdout 0 --rank 2 --targets q
run loam adapters promote facts
expect exit 2
expect err contains never checked
run loam adapters check facts
expect exit 2
expect err contains --data
run loam adapters check facts --data facts.jsonl
expect exit 2
expect err contains fewer than 5
run loam adapters check facts --data facts.jsonl --metric bleu
expect exit 2
expect err contains exact_match
file held.jsonl:
    {"prompt":"What is the code of the door?","response":"4711"}
    {"prompt":"Who holds the keys?","response":"Marta"}
    {"prompt":"Who keeps the keys?","response":"Marta"}
    {"prompt":"Tell me the door code.","response":"4711"}
    {"prompt":"Which code opens the door?","response":"4711"}
run loam adapters check facts --data held.jsonl --answer-tokens 4 --json
expect exit 1
expect json /passed == false
expect json /items == 5
expect json /checks/0/name == "better"
# The ledger has both sides, and what the gate said.
run loam ledger list --task adapter --json
expect out contains adapter
run loam adapters promote facts
expect exit 2
expect err contains failed its check
run loam adapters promote facts --force
expect err contains not shown
run loam adapters
expect out contains by force, failed
