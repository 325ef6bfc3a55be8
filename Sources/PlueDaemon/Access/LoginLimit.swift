import Foundation
import PlueConfig

/// How many logins may fail from one address: ten at once, then one every six seconds. A pure value; time is given.
///
/// It never keeps a right token out, not even beside wrong ones from the same address, as they come from a proxy or a shared machine:
/// no number of guesses finds 256 random bits. What it bounds is what wrong ones cost.
struct LoginLimit {
    private static let atOnce: Double = 10
    private static let refill: TimeInterval = 6
    private static let mostAddresses = 4096

    /// For each address, how many it is ahead of its share, as of a time.
    private(set) var ahead: [String: (count: Double, at: Date)] = [:]

    /// Counts a failure.
    /// - Returns: How long the address is to wait; `nil` while it is within its share.
    mutating func fail(from address: String, at time: Date) -> TimeInterval? {
        let key = Self.network(of: address)
        let count = now(ahead[key], time) + 1
        if ahead[key] == nil, ahead.count >= Self.mostAddresses { makeRoom(at: time) }
        // It does not grow for as long as somebody goes on: who stops is served again soon.
        ahead[key] = (min(count, Self.atOnce + 1), time)
        return count > Self.atOnce ? ((count - Self.atOnce) * Self.refill).rounded(.up) : nil
    }

    private func now(_ entry: (count: Double, at: Date)?, _ time: Date) -> Double {
        guard let entry else { return 0 }
        // A clock that was set back forgives nothing, and punishes nobody.
        return max(0, entry.count - max(0, time.timeIntervalSince(entry.at)) / Self.refill)
    }

    private mutating func makeRoom(at time: Date) {
        ahead = ahead.filter { now($0.value, time) > 0 }
        // Many at once, so that it is seldom done.
        guard ahead.count >= Self.mostAddresses else { return }
        let most = ahead.sorted { now($0.value, time) > now($1.value, time) }.prefix(Self.mostAddresses / 2)
        ahead = Dictionary(most.map { ($0.key, $0.value) }, uniquingKeysWith: { $1 })
    }

    /// An IPv6 address stands for its network of 64 bits: whoever has one has all of it.
    private static func network(of address: String) -> String {
        guard let bytes = IPAddress(address)?.bytes, bytes.count == 16, bytes.prefix(10).contains(where: { $0 != 0 }) else {
            return address
        }
        return bytes.prefix(8).map { String($0, radix: 16) }.joined(separator: ":")
    }
}
