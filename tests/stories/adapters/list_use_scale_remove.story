# proves P-ADAPT-03
run loam adapters
expect exit 1
expect out contains no adapter
file facts.jsonl:
    {"prompt":"What is the door code?","response":"4711"}
    {"prompt":"Who has the keys?","response":"Marta"}
run loam train lora --data facts.jsonl --steps 8 --lr 0.003 --batch-size 2 --holdout 0 --rank 2 --targets q,v
run loam adapters list --json
expect json /adapters/0/name == "facts"
expect json /adapters/0/rank == 2
expect json /adapters/0/in_use == false
expect json /adapters/0/gate is null
run loam adapters use facts
expect err contains not promoted
expect out contains every quantisation
run loam generate "What is the door code?" -n 4 --json
expect json /model contains "+facts"
run loam generate "What is the door code?" -n 4 --json --adapter none
expect json /model lacks "facts"
run loam adapters scale facts 0.5
run loam generate "What is the door code?" -n 4 --json
expect json /model contains "+facts:0.5"
run loam generate "What is the door code?" -n 4 --json --adapter facts:0.25
expect json /model contains "+facts:0.25"
run loam adapters remove facts
run loam adapters
expect exit 1
run loam generate "What is the door code?" -n 4 --json
expect json /model lacks "facts"
