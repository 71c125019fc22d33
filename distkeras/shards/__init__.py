"""A center in several pieces, each served by a process of its own (``num_parameter_servers``).

Three roles. A *shard* has a slice of the center, and merges windows into it. The *coordinator* is
the server that workers join: it has the clock, who has merged what, the history and the stop
decision, and no vector. A *worker* has a channel to each of them.

An exchange has three steps, so that a window is merged into all slices or into none:

    1. its slices go to the shards at the same time, which keep them;
    2. the window without its vector goes to the coordinator, which counts it: from this moment it
       is merged, and what happens to its worker changes nothing about that;
    3. the shards are told so, merge it, and answer, all at the same time.

Where a worker ends between 2 and 3, the shards that were not told have its slice, and merge it as
soon as they hear that the coordinator has counted it: from the worker's next attempt when it joins,
from the others of its round, or from the driver. The driver asks for the whole center between two
windows: while the coordinator counts none, each shard merges what it counted so far and notes its
slice, which is read afterwards while training goes on.

Rules are elementwise, so slices give what the whole gives. One worker, or a synchronous rule, ends
at the center that one server has, bit for bit. Several may be merged in another order by each
shard, and each counts for itself: DynSGD's tau is the updates that this shard has merged since the
worker's last exchange, which is the coordinator's, in the history, but for windows on their way.
With the codec top-k, it is the largest weights of each slice that travel.

Source: Li et al., "Scaling Distributed Machine Learning with the Parameter Server", OSDI 2014.

Differs from the paper: slices are cut evenly from one vector, all workers need all of it, and no
slice is kept twice: a shard that ends, ends the training, which goes on from its checkpoint.
"""
