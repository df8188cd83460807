run loam models pull --offline hf:nobody/nothing:model.gguf
expect exit 2
expect err lines 1
