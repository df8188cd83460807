fill text.txt 40: The tenant gives notice in writing, three months before the end of a quarter.
run loam eval perplexity text.txt --window 128 --stride 64 --json
expect exit 0
expect json /task == "perplexity"
expect json /metrics/perplexity/value > 1
expect json /metrics/bits_per_byte/value > 0
expect json /metrics/bits_per_byte/value < 4
expect json /metrics/nats_per_token/value > 0
expect json /settings/window == 128
expect json /settings/stride == 64
expect json /text/tokens > 400
expect json /stated contains "128"
run loam eval perplexity text.txt --window 128 --stride 129
expect exit 2
expect err contains stride
expect err lines 1
run loam eval perplexity text.txt --window 4096 --ctx 512
expect exit 2
expect err matches 4096.*512
expect err lines 1
bytes binary.txt: \xff\xfe\x00\x01
run loam eval perplexity binary.txt
expect exit 2
expect err contains binary.txt
expect err contains UTF-8
file empty.txt:
run loam eval perplexity empty.txt
expect exit 2
expect err contains empty.txt
expect err lines 1
