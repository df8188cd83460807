# Bad input gets one line that says what to do.
file empty.py: 
file nothing.py: x = 1
file broken.py: assert add(
run loam code "Add two numbers"
expect exit 2
expect err contains --tests FILE
run loam code "Add two numbers" --tests missing.py
expect exit 2
expect err contains missing.py
run loam code "Add two numbers" --tests nothing.py
expect exit 2
expect err contains hold no test
run loam code "Add two numbers" --tests broken.py
expect exit 2
expect err contains broken.py
expect err contains SyntaxError
run-input loam code - --tests nothing.py
    Add two numbers
expect exit 2
