namespace hijack {}
