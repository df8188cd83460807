run-input loam chat
    /sistem x
expect exit 0
expect out contains Try: /system
