"""Chinese (simplified characters)."""

from __future__ import annotations

from paralign.smallworld.concepts import HUMAN
from paralign.smallworld.grammar import CaselessGrammar, Phrase, Token, table
from paralign.smallworld.meaning import Adjunct, Clause, Entity, Meaning

__all__ = ["Chinese"]

# concept, noun, classifier
_NOUNS = table("""
man 男人 个 | woman 女人 个 | child 孩子 个 | teacher 老师 位 | doctor 医生 位 | friend 朋友 个 | boy 男孩 个
girl 女孩 个 | student 学生 个 | farmer 农民 个 | mother 母亲 位 | father 父亲 位 | neighbor 邻居 个 | king 国王 位
soldier 士兵 名 | queen 女王 位 | writer 作家 位 | son 儿子 个 | daughter 女儿 个 | singer 歌手 位 | cook 厨师 位
painter 画家 位 | policeman 警察 名 | guest 客人 位 | driver 司机 位 | lawyer 律师 位 | grandmother 祖母 位
engineer 工程师 位 | hunter 猎人 个 | thief 小偷 个 | musician 音乐家 位 | baby 婴儿 个 | prince 王子 位
princess 公主 位 | nurse 护士 位 | tourist 游客 名 | worker 工人 名 | journalist 记者 名 | judge 法官 位
fisherman 渔夫 个 | merchant 商人 个 | poet 诗人 位 | scientist 科学家 位 | gardener 园丁 个 | monk 和尚 个
baker 面包师 位 | waiter 服务员 名
dog 狗 只 | cat 猫 只 | horse 马 匹 | bird 鸟 只 | cow 牛 头 | mouse 老鼠 只 | fish 鱼 条 | elephant 大象 头
lion 狮子 头 | tiger 老虎 只 | bear 熊 只 | sheep 绵羊 只 | goat 山羊 只 | monkey 猴子 只 | duck 鸭子 只
rabbit 兔子 只 | wolf 狼 只 | snake 蛇 条 | fox 狐狸 只 | frog 青蛙 只 | camel 骆驼 头 | donkey 驴 头
apple 苹果 个 | cake 蛋糕 块 | egg 鸡蛋 个 | banana 香蕉 根 | orange 橙子 个 | tomato 番茄 个 | mango 芒果 个
carrot 胡萝卜 根 | onion 洋葱 个 | bread 面包 块 | rice 米饭 碗 | meat 肉 块 | cheese 奶酪 块 | soup 汤 碗
water 水 杯 | milk 牛奶 杯 | tea 茶 杯 | coffee 咖啡 杯 | juice 果汁 杯 | wine 葡萄酒 杯 | beer 啤酒 杯
book 书 本 | letter 信 封 | newspaper 报纸 份 | story 故事 个 | poem 诗 首 | magazine 杂志 本 | film 电影 部 | song 歌 首
key 钥匙 把 | bag 包 个 | ball 球 个 | phone 电话 部 | picture 图画 幅 | clock 时钟 个 | cup 杯子 个 | bottle 瓶子 个
box 箱子 个 | knife 刀 把 | hat 帽子 顶 | lamp 灯 盏 | gift 礼物 份 | camera 相机 台 | pen 笔 支 | toy 玩具 个
map 地图 张 | coin 硬币 枚 | ring 戒指 枚 | ticket 票 张 | umbrella 雨伞 把 | mirror 镜子 面 | basket 篮子 个
blanket 毯子 条 | candle 蜡烛 根 | spoon 勺子 把 | guitar 吉他 把 | shirt 衬衫 件 | shoe 鞋 只 | coat 大衣 件
table 桌子 张 | chair 椅子 把 | bed 床 张 | car 汽车 辆 | bicycle 自行车 辆 | boat 船 条 | door 门 扇 | window 窗户 扇
flower 花 朵 | tree 树 棵
house 房子 座 | school 学校 所 | hospital 医院 家 | library 图书馆 座 | museum 博物馆 座 | restaurant 餐厅 家
hotel 酒店 家 | church 教堂 座 | shop 商店 家 | station 车站 个 | kitchen 厨房 间 | office 办公室 间 | factory 工厂 家
theater 剧院 家 | cinema 电影院 家 | castle 城堡 座 | temple 寺庙 座 | airport 机场 个 | city 城市 座 | village 村庄 个
park 公园 座 | garden 花园 座 | market 市场 个 | forest 森林 片 | field 田野 片 | bridge 桥 座 | river 河 条 | lake 湖 个
mountain 山 座 | island 岛 座
""")
# concept, verb, then: the coverb of a recipient ("-" where it just follows the verb), or 没有 for verbs of result
# that are not negated by 不
_VERBS = table("""
see 看见 没有 | eat 吃 | read 读 | buy 买 | give 送给 - | go 去 | sleep 睡觉 | work 工作 | like 喜欢 | drink 喝 | write 写
open 打开 | love 爱 | come 来 | hear 听见 没有 | live 居住 | wait 等待 | find 找到 没有 | send 寄给 - | play 玩耍 | laugh 大笑
lose 弄丢 没有 | help 帮助 | show 展示 向 | meet 遇见 没有 | catch 抓住 没有 | make 做 | sing 唱 | close 关上 | sell 卖给 -
wash 洗 | clean 擦 | dance 跳舞 | run 奔跑 | tell 讲述 向 | feed 喂 | repair 修理 | cut 切 | call 叫 | swim 游泳
steal 偷 | break 打破 没有 | cry 哭 | throw 扔 | hide 藏 | choose 选择 | understand 理解 | lend 借给 - | explain 解释 向
push 推 | pull 拉 | lift 举起 | smile 微笑 | admire 欣赏 | touch 触摸 | say 说 | think 认为 | know 知道 | believe 相信
hope 希望
""")
# concept, adjective, and how it stands before a noun: directly ("0") or with 的
_ADJECTIVES = table("""
old 年老 | young 年轻 | big 大 0 | small 小 0 | new 新 0 | beautiful 美丽 | happy 快乐 | tired 疲惫 | red 红色 | rich 富有
poor 贫穷 | sad 悲伤 | clever 聪明 | hungry 饥饿 | white 白色 | black 黑色 | expensive 昂贵 | famous 著名 | strong 强壮
friendly 友好 | brave 勇敢 | interesting 有趣 | heavy 沉重 | long 长 | blue 蓝色 | green 绿色 | yellow 黄色 | fresh 新鲜
sweet 甜 | hot 热 0 | cold 冷 | dirty 脏 | dangerous 危险 | lazy 懒惰 | angry 愤怒 | strange 奇怪 | modern 现代
quiet 安静 | important 重要 | round 圆
""")
_WORDS = table("""
Anna 安娜 | Peter 彼得 | Maria 玛丽亚 | David 大卫 | Laura 劳拉 | Thomas 托马斯 | Sara 萨拉 | Daniel 丹尼尔
Julia 朱莉娅 | Paul 保罗 | Lisa 丽莎 | Ravi 拉维 | Eva 伊娃 | Amit 阿米特 | Meera 米拉 | Oscar 奥斯卡 | Priya 普丽娅
Victor 维克托 | Weber 韦伯 | Rossi 罗西 | Kumar 库马尔 | Garcia 加西亚 | Novak 诺瓦克 | Silva 席尔瓦
Keller 凯勒 | Lopez 洛佩斯 | Berlin 柏林 | Paris 巴黎 | London 伦敦 | Delhi 德里 | Beijing 北京 | Rome 罗马
Tokyo 东京 | New_York 纽约 | Vienna 维也纳 | Shanghai 上海 | Madrid 马德里 | Moscow 莫斯科 | Mumbai 孟买
France 法国 | India 印度 | China 中国 | Germany 德国 | Japan 日本 | Italy 意大利 | Spain 西班牙 | Egypt 埃及
he 他 | she 她 | they 他们 | who 谁 | what 什么 | where 哪里
two 两 | three 三 | four 四 | five 五 | six 六 | seven 七 | eight 八 | nine 九 | ten 十
in 里 | on 上 | under 下面 | behind 后面 | near 附近 | with 跟 | for 为 | to 向
today 今天 | yesterday 昨天 | now 现在 | soon 不久 | often 经常 | always 总是 | sometimes 有时
Monday 星期一 | Tuesday 星期二 | Wednesday 星期三 | Thursday 星期四 | Friday 星期五 | Saturday 星期六 | Sunday 星期天
January 一月 | February 二月 | March 三月 | April 四月 | May 五月 | June 六月 | July 七月 | August 八月 | September 九月
October 十月 | November 十一月 | December 十二月 | morning 早上 | evening 晚上 | night 夜里
slowly 慢慢地 | quickly 迅速地 | quietly 悄悄地 | carefully 小心地 | patiently 耐心地
and 和 | but 但是 | because 因为 | when 时候 | that - | not 不 | be 在
""")


class Chinese(CaselessGrammar):
    """Chinese: no inflection, classifiers, 了 for the past, modifiers and relative clauses before the noun with 的."""

    language = "zh"
    lexicon = _NOUNS | _VERBS | _ADJECTIVES | _WORDS
    has_spaces = False
    stop, comma, question = "。", "，", "？"

    def meaning(self, meaning: Meaning) -> Phrase:
        """Return the main clause with the second clause: …的时候 first, 因为, 但是 and 而 (*and*) last."""
        main = self.clause(meaning.clause, "")
        if meaning.second is None:
            return main
        second = self.clause(meaning.second, "2")
        conjunction = str(meaning.conjunction)
        if conjunction == "when":
            noun = Token("时候", "时候", "NOUN", "conj").under(main.head, "obl")
            de = Token("的", "的", "PART").under(second.head, "mark")
            comma = self.mark(self.comma, noun)
            return Phrase(main.head, [*second.under(noun, "acl"), de, noun, comma, *main.tokens])
        comma = self.mark(self.comma, second.head)
        form = "而" if conjunction == "and" else self.lemma(conjunction)
        if conjunction == "because":
            mark = Token(form, form, "SCONJ", "conj").under(second.head, "mark")
            return Phrase(main.head, [*main.tokens, comma, mark, *second.under(main.head, "advcl")])
        mark = Token(form, form, "CCONJ", "conj").under(second.head, "cc")
        return Phrase(main.head, [*main.tokens, comma, mark, *second.under(main.head, "conj")])

    def name(self, entity: Entity, key: str, form: str = "") -> Phrase:
        """Return a name; first and last name are one word, separated by a dot."""
        phrase = super().name(entity, key, form)
        if entity.surname:
            first, last = phrase.tokens
            first.form = first.lemma = f"{first.form}·{last.form}"
            first.keys = f"{first.keys} {last.keys}"
            return Phrase(first, [first])
        return phrase

    def noun(self, e: Entity, key: str, negated: bool = False) -> Phrase:
        """Return a noun (``negated``: without the *one* of an indefinite object) after owner, number with classifier, relative clause and adjective."""
        lemma, classifier = self.lexicon[e.concept]
        plural_form = e.plural and e.definite and e.concept in HUMAN
        head = Token(lemma + ("们" if plural_form else ""), lemma, "NOUN", key)
        tokens: list[Token] = []
        if e.owner is not None:
            owner = self.entity(e.owner, key + "w")
            mark = Token("的", "的", "PART", key + "w.case").under(owner.head, "case")
            tokens += [*owner.under(head, "nmod"), mark]
        relative: list[Token] = []
        if e.relative is not None:
            clause = self.clause(e.relative, key + "r", relative=True)
            mark = Token("的", "的", "PART", key + "r.rel").under(clause.head, "mark")
            relative = [*clause.under(head, "acl:relcl"), mark]
        if e.count or not (e.definite or e.plural or negated):
            word = self.lemma(e.count) if e.count else "一"
            number = Token(word, word, "NUM", key + (".num" if e.count else ".det")).under(head, "nummod")
            tokens += [number, Token(classifier, classifier, "NOUN").under(number, "clf")]
        tokens += relative
        if e.adjective:
            form, *direct = self.lexicon[e.adjective]
            adjective = Token(form, form, "ADJ", key + ".adj").under(head, "amod")
            tokens.append(adjective)
            if not direct:
                tokens.append(Token("的", "的", "PART").under(adjective, "mark"))
        return Phrase(head, [*tokens, head])

    def clause(self, c: Clause, key: str, relative: bool = False) -> Phrase:
        """Return a clause: subject, time, frequency, negation, place and other coverbs, manner, verb, object."""
        subject = self.entity(c.subject, key + "s") if c.subject is not None else None
        before: list[Token] = []
        if c.verb == "be":
            head, tokens = self.state(c, key)
        else:
            head = Token(self.lemma(c.verb), self.lemma(c.verb), "VERB", key + "v")
            tokens = self.predicate(c, key, head, relative)
        if c.frequency:
            before.append(
                Token(self.lemma(c.frequency), self.lemma(c.frequency), "ADV", key + "f").under(head, "advmod")
            )
        subjects = subject.under(head, "nsubj") if subject is not None else []
        if c.asks == "who":
            subjects = [Token("谁", "谁", "PRON", key + "s").under(head, "nsubj")]
        time: list[Token] = []
        if c.time:
            form = self.lemma(c.time)
            upos = "ADV" if c.time == "soon" else "NOUN"
            role = "advmod" if upos == "ADV" else "obl"
            time = [Token(form, form, upos, key + "t").under(head, role)]
        opening = [*time, *subjects] if c.fronted else [*subjects, *time]
        tokens = [*opening, *before, *tokens]
        if c.asks == "whether":
            tokens.append(Token("吗", "吗", "PART", key + "ask").under(head, "discourse"))
        if c.complement is not None:
            tokens += self.clause(c.complement, key + "k").under(head, "ccomp")
        return Phrase(head, tokens)

    def state(self, c: Clause, key: str) -> tuple[Token, list[Token]]:
        """Return an adjective with 很, or 在 with a place."""
        negation: list[Token] = []
        if c.adjective:
            form = self.lemma(c.adjective)
            head = Token(form, form, "ADJ", key + "v")
            if c.negated:
                negation = [Token("不", "不", "ADV", key + "n").under(head, "advmod")]
            elif c.asks is None:
                negation = [Token("很", "很", "ADV").under(head, "advmod")]
            return head, [*negation, head]
        head = Token("在", "在", "VERB", key + "v.cop")
        if c.negated:
            negation = [Token("不", "不", "ADV", key + "n").under(head, "advmod")]
        if c.place is None:
            return head, [*negation, head, Token("哪里", "哪里", "PRON", key + "p").under(head, "obj")]
        place = self.adjunct(c.place, key + "p")
        place.tokens.pop(0)
        return head, [*negation, head, *place.under(head, "obj")]

    def predicate(self, c: Clause, key: str, head: Token, relative: bool) -> list[Token]:
        """Return the verb with particles and complements; there is no 了 immediately before 的."""
        tokens: list[Token] = []
        past = c.tense == "past" and c.complement is None
        if c.negated:
            done = past or (c.tense == "present" and "没有" in self.lexicon[c.verb])
            form = "没有" if done else "不"
            tokens.append(Token(form, form, "ADV", key + "n").under(head, "advmod"))
        if c.tense == "future":
            tokens.append(Token("会", "会", "AUX", key + "v.aux").under(head, "aux"))
        for role, adjunct in (("x", c.company), ("p", c.place)):
            if adjunct is not None:
                tokens += self.adjunct(adjunct, key + role).under(head, "obl")
        if c.asks == "where":
            where = Token("哪里", "哪里", "PRON", key + "p").under(head, "obl")
            tokens += [Token("在", "在", "ADP").under(where, "case"), where]
        if c.manner:
            tokens.append(Token(self.lemma(c.manner), self.lemma(c.manner), "ADV", key + "m").under(head, "advmod"))
        coverb = self.lexicon[c.verb][1] if c.recipient is not None else ""
        recipient = self.entity(c.recipient, key + "r") if c.recipient is not None else None
        if recipient is not None and coverb != "-":
            case = Token(coverb, coverb, "ADP", key + "r.case").under(recipient.head, "case")
            tokens += [case, *recipient.under(head, "obl")]
        tokens.append(head)
        if past and not c.negated and not (relative and c.object is None and c.goal is None):
            tokens.append(Token("了", "了", "AUX", key + "v.aux").under(head, "aux"))
        if recipient is not None and coverb == "-":
            tokens += recipient.under(head, "iobj")
        for role, e in (("o", c.object), ("g", c.goal)):
            if e is not None:
                tokens += self.entity(e, key + role, c.negated).under(head, "obj")
        if c.asks == "what":
            tokens.append(Token("什么", "什么", "PRON", key + "o").under(head, "obj"))
        return tokens

    def adjunct(self, adjunct: Adjunct, key: str) -> Phrase:
        """Return a coverb phrase: 跟 and 为 with persons, 在 with places and a localizer except after names."""
        ground = self.entity(adjunct.ground, key)
        form = self.lemma(adjunct.relation)
        if adjunct.relation in ("with", "for"):
            case = Token(form, form, "ADP", key + ".case").under(ground.head, "case")
            return Phrase(ground.head, [case, *ground.tokens])
        tokens = [Token("在", "在", "ADP", key + ".case").under(ground.head, "case"), *ground.tokens]
        if not (adjunct.relation == "in" and adjunct.ground.is_name):
            tokens.append(Token(form, form, "ADP", key + ".case").under(ground.head, "case"))
        return Phrase(ground.head, tokens)
