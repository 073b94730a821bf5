// Package toy is a small broker-like node, and its client, by which the simulator is tested without the broker: appends to one file a shard,
// acknowledged when synced; reads as extents; recovery that cuts a torn tail. Bugs can be planted in it, and the simulator must find each.
//
//	frame ─▶ shard that has the connection ──mail──▶ shard that owns the key ─▶ write ─▶ sync ──mail──▶ answer
//
// Request: op byte, id (8 bytes), payload. 'A' appends the payload to shard id mod shards; 'R' reads the record at the position in the payload;
// 'E' asks for the end. Answer: op, id, position (8 bytes), record bytes.
package toy
