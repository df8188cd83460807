run loam tokens encode --json "<|im_end|>"
expect json /count > 1
run loam tokens encode --json --special "<|im_end|>"
expect json /count == 1
expect json /tokens/0/control == true
