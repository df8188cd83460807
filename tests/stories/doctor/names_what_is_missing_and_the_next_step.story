models none
run loam doctor
expect exit 1
expect out contains Missing
expect out contains loam models pull
run loam doctor --json
expect exit 1
expect json /ready == false
expect json /missing/0/next_step is text
