run-input loam chat -n 16
    /help
    /system Answer in one word.
    What colour is the sky?
    /save talk.json
    /reset
    /quit
expect exit 0
expect out contains /save FILE
expect out contains System: Answer in one word.
expect out contains The conversation is forgotten.
expect file talk.json contains What colour is the sky?
expect file talk.json contains "assistant"
