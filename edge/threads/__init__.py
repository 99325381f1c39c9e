"""What the threads of the loop share: mailboxes, pooled buffers, clocks, priorities."""
