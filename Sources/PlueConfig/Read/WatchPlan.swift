import SystemPackage

#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif

/// What has to be watched so that any change of some files is noticed: an edit, a rename over them, a swap of a link anywhere
/// on the way to them.
struct WatchPlan: Equatable, Sendable {
    /// Per directory, the names in it that matter.
    private(set) var directories: [FilePath: Set<String>] = [:]
    /// The files themselves, links followed: an edit through another name is seen nowhere else.
    private(set) var files: Set<FilePath> = []

    /// Links on the way to one file; more is a circle.
    private static let mostLinks = 40

    init(_ paths: Set<FilePath>) {
        for path in paths { add(path) }
    }

    private mutating func add(_ path: FilePath) {
        var path = path
        for _ in 0..<Self.mostLinks {
            guard let link = firstLink(on: path) else { break }
            path = link
        }
        // The nearest directory that exists: what is missing below it shows there first.
        var directory = path.removingLastComponent()
        var name = path.lastComponent?.string ?? ""
        while !directory.isEmpty, !isDirectory(directory), let last = directory.lastComponent?.string {
            name = last
            directory = directory.removingLastComponent()
        }
        watch(name, in: directory)
        if isDirectory(path) {
            directories[path, default: []].formUnion([])
        } else if exists(path) {
            files.insert(path)
        }
    }

    /// Watches the first symbolic link on the way and returns the path with it resolved; `nil` when there is none.
    private mutating func firstLink(on path: FilePath) -> FilePath? {
        var walked = FilePath(root: path.root, [])
        let components = Array(path.components)
        for (index, component) in components.enumerated() {
            let next = walked.appending(component)
            if let target = target(of: next) {
                watch(component.string, in: walked)
                let resolved = target.isAbsolute ? target : walked.pushing(target)
                return components.dropFirst(index + 1).reduce(resolved) { $0.appending($1) }.lexicallyNormalized()
            }
            walked = next
        }
        return nil
    }

    private mutating func watch(_ name: String, in directory: FilePath) {
        directories[directory.isEmpty ? "." : directory, default: []].insert(name)
    }

    private func target(of path: FilePath) -> FilePath? {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
        let length = path.withPlatformString { readlink($0, &buffer, buffer.count - 1) }
        guard length > 0 else { return nil }
        return FilePath(String(decoding: buffer[..<length].map(UInt8.init(bitPattern:)), as: UTF8.self))
    }

    private func isDirectory(_ path: FilePath) -> Bool {
        var status = stat()
        return path.withPlatformString({ stat($0, &status) }) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    private func exists(_ path: FilePath) -> Bool { path.withPlatformString { access($0, F_OK) } == 0 }
}
