run loam generate --raw --top 4 -n 3 "The capital of France is"
expect exit 0
expect out contains ▸
expect out contains Paris
expect out matches [0-9]+\.[0-9]%
expect out columns 80
run loam generate --raw --top 4 -n 3 --json "The capital of France is"
expect json /steps/length == 3
expect json /steps/0/alternatives/length == 4
expect json /steps/0/probability > 0
