// Package codec decodes Kafka's primitive types where bytes come from a log or are embedded in a request: records of
// __consumer_offsets, subscriptions and assignments of consumers.
//
// It promises never to allocate by a length that is only announced, and never to panic. It knows no message.
//
// Read next: record.go of packages group and consumer.
package codec
