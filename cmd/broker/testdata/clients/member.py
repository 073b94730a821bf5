"""A member of a group. It says, with the machine's monotonic clock, which partitions it owns, owns no more or has lost, what it reads, and for which partitions a
commit was accepted that it sent then; what it commits it has said before. Each commit carries the member's name and the number of the assignment that gave it
the partition. SIGTERM lets it leave. Arguments: address, topic, group, name, and settings as key=value."""
import signal
import sys
import time
import zlib
from confluent_kafka import Consumer, KafkaException, TopicPartition

addr, topic, group, name = sys.argv[1:5]
owned = {}  # the number of the assignment that gave a partition
read = {}  # the next offset of partitions with what is not committed
assignments = 0
leave = False


def say(at, what, parts):
    print(at, what, *parts, flush=True)


def assigned(c, parts):
    global assignments
    assignments += 1
    owned.update({p.partition: assignments for p in parts})
    say(time.monotonic_ns(), 'own', [p.partition for p in parts])


def forget(parts):
    for p in parts:
        owned.pop(p, None)
        read.pop(p, None)


def revoked(c, parts):
    parts = [p.partition for p in parts]
    commit(c, parts)
    forget(parts)
    say(time.monotonic_ns(), 'gone', parts)


def lost(c, parts):
    parts = [p.partition for p in parts]
    forget(parts)
    say(time.monotonic_ns(), 'lost', parts)


def commit(c, of):
    some = {p: read[p] for p in of if p in read}
    if not some:
        return
    sys.stdout.flush()
    at = time.monotonic_ns()
    try:
        done = c.commit(offsets=[TopicPartition(topic, p, o, '%s/%d' % (name, owned[p])) for p, o in some.items()], asynchronous=False)
    except KafkaException as e:  # what is not committed is read again by the next owner
        print('commit:', e, file=sys.stderr, flush=True)
        return
    kept = [p.partition for p in done if not p.error]
    for p in kept:
        read.pop(p, None)
    say(at, 'kept', kept)


def note(m):
    p, key, value = m.partition(), m.key(), m.value()
    good = zlib.crc32(value[4:]) == int.from_bytes(value[:4], 'big') and key == value[4:16]
    print(time.monotonic_ns(), 'read' if good else 'bad', p, m.offset(), int.from_bytes(key[4:], 'big'))
    read[p] = m.offset() + 1


def again(c):
    """What is owned is assigned anew: librdkafka never asks again for a committed offset that a broker refused because it coordinates the group no more (issue 5586)."""
    read.clear()  # reading begins at what is committed
    parts = [TopicPartition(topic, p) for p in owned]
    if conf.get('group.protocol') == 'consumer':
        c.incremental_unassign(parts)
        c.incremental_assign(parts)
    else:
        c.assign(parts)


def end(*_):
    global leave
    leave = True


signal.signal(signal.SIGTERM, end)
conf = {'bootstrap.servers': addr, 'group.id': group, 'client.id': name, 'auto.offset.reset': 'earliest', 'enable.auto.commit': False, 'check.crcs': True,
        'topic.metadata.refresh.interval.ms': 2000, 'reconnect.backoff.max.ms': 500, 'fetch.wait.max.ms': 200}
conf.update(x.split('=', 1) for x in sys.argv[5:])
consumer = Consumer(conf)
consumer.subscribe([topic], on_assign=assigned, on_revoke=revoked, on_lost=lost)
due = time.monotonic()
while not leave:
    m = consumer.poll(0.1)
    if m is not None and m.error():
        print('poll:', m.error(), file=sys.stderr, flush=True)
        if 'Failed to fetch committed offset' in m.error().str():
            again(consumer)
    elif m is not None and m.partition() in owned:
        note(m)
    if time.monotonic() >= due:
        commit(consumer, list(owned))
        due = time.monotonic() + 0.1
consumer.close()
say(time.monotonic_ns(), 'left', [])
