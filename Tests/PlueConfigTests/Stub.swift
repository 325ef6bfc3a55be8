// PlueConfig
