run loam fit smollm2-135m-instruct-q4_1 --ctx 2048
expect exit 0
expect out contains fits
expect out contains at the peak
run loam fit smollm2-135m-instruct-q4_1 --ctx 2048 --slots 2 --json
expect json /fits == true
expect json /slots == 2
expect json /memory_bytes/total > 100000000
