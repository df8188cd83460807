# Each mistake gets one line that says what is wrong and what to do.
run loam adapters use nothing
expect exit 2
expect err contains no such adapter
run loam generate hello --adapter nothing
expect exit 2
expect err contains no such adapter
run loam generate hello --adapter ./nothing.gguf
expect exit 2
expect err contains no such file
file broken.gguf: this is no adapter
run loam generate hello --adapter ./broken.gguf
expect exit 2
expect err contains broken.gguf
run loam generate hello --adapter none --adapter ./broken.gguf
expect exit 2
expect err contains none
file facts.jsonl:
    {"prompt":"What is the door code?","response":"4711"}
    {"prompt":"Who has the keys?","response":"Marta"}
run loam train lora --data facts.jsonl --steps 1 --batch-size 2 --holdout 0 --rank 2 --targets q
run loam adapters scale facts strong
expect exit 2
expect err contains number
run loam adapters scale fact 1
expect exit 2
expect err contains use facts
# A cut file is told before it is loaded.
shell head -c 2000 $LOAM_HOME/adapters/facts.gguf > cut.gguf
run loam generate hello --adapter ./cut.gguf
expect exit 2
expect err contains cut.gguf
# A default that is gone is told; the bare model does not answer in its place.
run loam adapters use facts
shell rm $LOAM_HOME/adapters/facts.gguf
run loam generate hello -n 2
expect exit 2
expect err contains none
run loam generate hello -n 2 --adapter none
expect exit 0
