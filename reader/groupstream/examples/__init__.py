"""tf.train.Examples: encoded, and decoded a batch at a time. `decoding` is where to begin reading."""
