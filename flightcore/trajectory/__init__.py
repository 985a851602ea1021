"""Trajectories: position to snap and heading as functions of time; can they be flown?"""
