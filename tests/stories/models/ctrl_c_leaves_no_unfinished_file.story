# proves P-CLI-09
interrupt-on-file models/*.part-* loam models quantize smollm2-135m-instruct-q4_1 --type q8_0
expect exit 130
expect err contains Stopped
shell ls -A "$LOAM_HOME/models"
expect out lacks .part-
