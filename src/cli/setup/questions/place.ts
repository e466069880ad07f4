import { inputFor, type Question } from '../question.js'

export const placeQuestions: readonly Question[] = [
  inputFor({ name: 'prefix', message: 'Where should the node live?' }),
  inputFor({
    name: 'user',
    message: 'Run it as which user?',
    applies: ({ input }) => input.facts.account.isRoot,
    async source({ draft, input }) {
      const { user } = draft.answers
      if (user === undefined) return undefined
      const known = await input.machine.lookUpUser(user)
      const from = draft.reasons.user
      const state = known ? 'exists already' : 'will be created'
      return from === undefined ? state : `${from}, ${state}`
    },
  }),
]
