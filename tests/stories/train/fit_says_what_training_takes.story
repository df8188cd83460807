run loam fit smollm2-135m-instruct-q4_1 --train --examples 50 --example-tokens 60 --answer-tokens 10 --rank 4 --json
expect exit 0
expect json /fits == true
expect json /steps is number
expect json /tokens_per_s is number
expect json /memory_bytes/total is number
run loam fit smollm2-135m-instruct-q4_1 --train --memory-limit 10
expect exit 1
expect out contains does not fit
run loam fit nowhere --train
expect exit 2
expect err contains nowhere
