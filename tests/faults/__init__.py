"""The fault campaign: cuts, kills and bad manners against the real server. `make faults` runs the long one."""
