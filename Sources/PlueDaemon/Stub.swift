// PlueDaemon
