"""Trajectories given by the ground: taken in, judged against the fence, handed to whoever flies."""
