bytes not_a_model.gguf: this is a text and no model at all
bytes short.gguf: GGUF\x03\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\x7f\x01\x00\x00\x00\x00\x00\x00\x00
run loam generate --model ./not_a_model.gguf hello
expect exit 2
expect err contains bad data
expect err contains not_a_model.gguf
expect err lines 1
run loam models show ./short.gguf
expect exit 2
expect err contains bad data
expect err lines 1
run loam generate --model ./nosuch.gguf hello
expect exit 2
expect err contains nosuch.gguf
