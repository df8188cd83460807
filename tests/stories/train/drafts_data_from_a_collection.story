# proves P-TRAIN-11
file docs/lease.md:
    # Lease
    
    ## Money
    
    A deposit is a sum that the landlord keeps until the flat is returned. The lease began on 1 March 2019 and runs
    for five years.
    
    ## Office
    
    Opening hours: 9 to 12 o'clock
    
file docs/lift.md:
    # Lift
    
    The lift is a machine from 1987 with room for four people. The yearly check of the lift costs 310 euros in all.
run loam ingest docs
expect exit 0
run loam train draft --out-data draft.jsonl --json
expect exit 0
expect json /counts/documents == 2
shell grep -c '"document"' draft.jsonl
expect exit 0
shell grep -q 'What is a deposit?' draft.jsonl && grep -q 'lift.md' draft.jsonl
expect exit 0
# Edits are never written over.
run loam train draft --out-data draft.jsonl
expect exit 2
expect err contains draft.jsonl
# What was drafted can be trained on, and a document stands on one side of the split.
run loam train lora --data draft.jsonl --out lease.gguf --steps 1 --batch-size 2 --rank 2 --targets q --holdout 0.4
expect exit 0
run loam train draft
expect exit 2
expect err contains --out-data
run loam train draft --out-data other.jsonl --collection nowhere
expect exit 2
expect err contains nowhere
