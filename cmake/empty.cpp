// A room that has only headers still needs one translation unit to be a library.
