# proves P-ADAPT-04
file facts.jsonl:
    {"prompt":"What is the door code?","response":"4711"}
    {"prompt":"Who has the keys?","response":"Marta"}
run loam train lora --data facts.jsonl --steps 2 --lr 0.003 --batch-size 2 --holdout 0 --rank 2 --targets q,v
run loam adapters export facts --to peft --json
expect json /matrices == 60
expect file peft/adapter_model.safetensors
expect file peft/adapter_config.json contains q_proj
run loam adapters import peft --name back
expect err contains trained on
run loam generate "What is the door code?" -n 6 --adapter facts
shell loam generate "What is the door code?" -n 6 --adapter facts > one.txt; loam generate "What is the door code?" -n 6 --adapter back > two.txt; cmp one.txt two.txt
expect exit 0
# What cannot be served is refused by name, and nothing is left.
run loam adapters import peft --name back
expect exit 2
expect err contains already
run loam adapters import peft --name odd/name
expect exit 2
shell sed -i 's/"use_dora": false/"use_dora": true/' peft/adapter_config.json
run loam adapters import peft --name dora
expect exit 2
expect err contains use_dora
shell sed -i 's/"use_dora": true/"use_dora": false/' peft/adapter_config.json; head -c 900 peft/adapter_model.safetensors > cut && mv cut peft/adapter_model.safetensors
run loam adapters import peft --name cut
expect exit 2
expect err contains adapter_model.safetensors
shell ls -A $LOAM_HOME/adapters
expect out lacks cut
expect out lacks dora
run loam adapters import nowhere
expect exit 2
expect err contains no such file
run loam adapters export facts
expect exit 2
expect err contains --to
# A model is no adapter.
shell loam adapters import $LOAM_MODELS/smollm2-135m-instruct-q4_1.gguf --name model
expect exit 2
expect err contains not a LoRA adapter
